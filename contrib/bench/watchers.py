"""What clients that only wait cost the others: idle connections, watchers of events, readers of logs.

    python -m contrib.bench.watchers [--idle 10000] [--events 1000] [--logs 1000] [--containers 100]

An embedded engine is one process, the manager another, and all clients are this one. While they wait, one more lists the containers.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from contrib.bench.api_client import Client
from contrib.bench.goals import Measured
from contrib.bench.memory import agent, embedded_engine, resident, settle

_LISTINGS = 300
_AT_ONCE = 100  # clients that connect at a time, as many as a listening socket keeps waiting
_HEAD = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Seen in bad hours of a machine with two cores; an idle one has a third of it.
_GOALS = {"an idle connection": 16.0, "a watcher of events": 64.0, "a reader of logs": 128.0}  # kB
_CONFIG = """\
[cluster]
engines = ["{engine}"]
[plugins.health]
[plugins.spread]
[plugins.docker_api]
listen = ["unix://{folder}/docker.sock"]
max_connections = 0
max_requests = 0
"""


def measure(idle: int = 10_000, events: int = 1000, logs: int = 1000, containers: int = 100) -> Iterator[Measured]:
    """Let more and more clients wait; after each kind of them what one costs, and how long a listing takes others."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with embedded_engine(containers) as engine, tempfile.TemporaryDirectory() as folder:
        settings, path = Path(folder) / "skep.toml", f"{folder}/docker.sock"
        settings.write_text(_CONFIG.format(engine=engine, folder=folder))
        with agent([str(Path(sys.executable).with_name("skep")), "run", "--config", str(settings)]) as pid:
            settle(pid)
            with asyncio.Runner() as runner:
                yield from listings(path, "alone", None)
                kinds = [
                    ("an idle connection", idle, ""),
                    ("a watcher of events", events, "/events"),
                    ("a reader of logs", logs, "/containers/c{}/logs?stdout=1&follow=1"),
                ]
                writers: list[asyncio.StreamWriter] = []
                for kind, count, target in kinds:
                    before = resident(pid)
                    writers += runner.run(wait_there(path, count, target, containers))
                    settle(pid)
                    kilobytes = 1000 * (resident(pid) - before) / count
                    yield Measured(f"{count} more, each {kind}: resident", kilobytes, "kB", _GOALS[kind])
                    yield from listings(path, f"beside {len(writers)} that wait", 25)
                yield Measured("all of them: resident", resident(pid), "MB")


def listings(path: str, when: str, goal: float | None) -> Iterator[Measured]:
    """How long one client waits for `GET /containers/json`, in ms."""
    client, taken = Client(f"unix://{path}"), list[float]()
    for _ in range(_LISTINGS):
        began = time.perf_counter()
        status, _ = client.call("GET", "/containers/json")
        taken.append(1000 * (time.perf_counter() - began))
        if status != 200:
            raise SystemExit(f"a listing failed: {status}")
    client.close()
    yield Measured(f"a listing {when}: p50", statistics.median(taken), "ms")
    yield Measured(f"a listing {when}: p99", statistics.quantiles(taken, n=100)[98], "ms", goal)


async def wait_there(path: str, count: int, target: str, containers: int) -> list[asyncio.StreamWriter]:
    """Connect so many clients; with a target, each has asked for it, and been answered the head."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int) -> asyncio.StreamWriter:
        async with turns:
            reader, writer = await asyncio.open_unix_connection(path)
            if target:
                writer.write(_HEAD.format(target.format(number % containers)).encode())
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"{target}: {head!r}")
            return writer

    return await asyncio.gather(*(one(number) for number in range(count)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--logs", type=int, default=1000)
    parser.add_argument("--containers", type=int, default=100)
    options = parser.parse_args()
    for measured in measure(options.idle, options.events, options.logs, options.containers):
        print(measured, flush=True)
