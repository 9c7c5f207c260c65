"""Requests that fail while nginx reloads and while containers are replaced, under wrk's full load. Wanted are none.

    python -m contrib.bench.nginx_load [--reloads 1000] [--replacements 50] [--connections 16]

Needs root and Debian's package wrk: containers run on a real engine of the lab, and are stopped through skep's Docker API.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from contrib.bench.goals import Measured
from contrib.bench.nginx_world import World, create, engine_to_start_on, free_port, until, world
from skep import Engine
from skep_nginx.collect import Backend
from skep_nginx.model import Host, Server
from skep_nginx.wishes import SiteWish, Wish

__all__ = ["HOST", "Load", "reloads", "replace_containers", "replacements", "under_load"]

HOST = "shop.example"


@dataclass
class Load:
    """What wrk counted."""

    requests: int = 0
    failed: int = 0
    told: str = ""


@contextlib.asynccontextmanager
async def under_load(port: int, host: str = HOST, connections: int = 16, *, keep: bool = False) -> AsyncIterator[Load]:
    """wrk asks for a host at full rate; its counts are there at the end.

    keep: over connections that it keeps. nginx before 1.27.4 closes those of its old workers at a reload, even if a request is on its way;
    clients repeat that, but wrk counts it as failed.
    """
    headers = ("-H", f"Host: {host}", *(() if keep else ("-H", "Connection: close")))
    words = ("-t1", f"-c{connections}", "-d3600s", "--timeout", "10s", *headers, f"http://127.0.0.1:{port}/")
    process = await asyncio.create_subprocess_exec("wrk", *words, stdout=asyncio.subprocess.PIPE)
    found = Load()
    try:
        await asyncio.sleep(0.5)
        yield found
    finally:
        process.send_signal(signal.SIGINT)  # it tells what it counted
        output, _ = await process.communicate()
        found.told = output.decode()
        found.requests = sum(map(int, re.findall(r"(\d+) requests in", found.told)))
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", found.told)
        other = re.search(r"Non-2xx or 3xx responses: (\d+)", found.told)
        found.failed = sum(map(int, errors.groups() if errors else ())) + int(other[1] if other else 0)


async def replace_containers(served: World, engine: Engine, count: int) -> None:
    """Two containers serve; so often a new one is started, and when it is served the oldest is stopped through skep, and removed."""
    running: list[str] = []
    async with Engine(served.endpoint) as skep:
        for number in range(count + 2):
            id_ = await create(engine, HOST, real=True, image="nginx")
            await engine.call("POST", f"/containers/{id_}/start")
            await until(lambda wanted=id_: wanted in _served(served))  # type: ignore[misc]
            running.append(id_)
            if number >= 2:
                oldest = running.pop(0)
                await skep.call("POST", f"/containers/{oldest}/stop", timeout=60)
                await engine.call("DELETE", f"/containers/{oldest}", query={"force": True})


def _served(served: World) -> set[str]:
    work = served.plugin.work
    is_live = not work.error and work.applier.live is not None
    return {backend.id for backend in work.applier.backends if backend.server is not None and is_live}


async def replacements(count: int, connections: int) -> AsyncIterator[Measured]:
    """A rolling replacement."""
    async with (
        engine_to_start_on(real=True, images=("nginx",)) as (url, _),
        world(0, url) as served,
        Engine(url) as engine,
    ):
        await replace_containers(served, engine, 0)
        async with under_load(served.port, connections=connections) as load:
            await replace_containers(served, engine, count)
    yield Measured(f"{count} replacements under load: requests", load.requests, "")
    yield Measured(f"{count} replacements under load: failed", load.failed, "", 0.5)


async def reloads(count: int, connections: int, *, keep: bool) -> AsyncIterator[Measured]:
    """One reload after another, each of a changed configuration that is seen live before the next."""
    async with Answering() as port, world(0) as served:
        work = served.plugin.work
        both = [_backend("shop", port), _backend("other", port)]
        await work.applier.apply(both)
        before, began = served.counts["reloads"], time.monotonic()
        async with under_load(served.port, connections=connections, keep=keep) as load:
            for number in range(count):
                await work.applier.apply(both[: 1 + number % 2])
        done = served.counts["reloads"] - before
        what = f"{done} reloads under load{', kept connections' if keep else ''}"
        yield Measured(f"{what}: one change until it is seen live", 1000 * (time.monotonic() - began) / done, "ms")
    yield Measured(f"{what}: requests", load.requests, "")
    yield Measured(f"{what}: failed", load.failed, "", None if keep else 0.5)


def _backend(name: str, port: int) -> Backend:
    wish = Wish((SiteWish(Host(f"{name}.example")),))
    return Backend(name, name, "node1", wish, ((None, Server("127.0.0.1", port)),))


class Answering:
    """nginx with a page, to ask at full rate."""

    async def __aenter__(self) -> int:
        self._folder = tempfile.mkdtemp(prefix="skep-bench-")
        port = free_port()
        conf = Path(self._folder) / "nginx.conf"
        conf.write_text(
            f"daemon off; pid {self._folder}/pid; error_log stderr; worker_processes 1;\n"
            "events {} http { access_log off; keepalive_requests 1000000;\n"
            f"server {{ listen 127.0.0.1:{port}; location / {{ return 200 ok; }} }} }}\n"
        )
        self._process = await asyncio.create_subprocess_exec("/usr/sbin/nginx", "-e", "stderr", "-c", str(conf))
        return port

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()
        await self._process.wait()
        shutil.rmtree(self._folder)


async def run(options: argparse.Namespace) -> bool:
    """Measure both; whether nothing failed."""
    met = True
    for measure in (
        reloads(options.reloads, options.connections, keep=False),
        reloads(max(1, options.reloads // 10), options.connections, keep=True),
        replacements(options.replacements, options.connections),
    ):
        async for measured in measure:
            print(measured, flush=True)
            met &= measured.met
    return met


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--reloads", type=int, default=1000)
    parser.add_argument("--replacements", type=int, default=50)
    parser.add_argument("--connections", type=int, default=16)
    raise SystemExit(not asyncio.run(run(parser.parse_args())))
