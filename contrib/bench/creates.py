"""Creates per second, end to end: clients, the Docker API, the decision, an engine's answer, and the container read back.

    python -m contrib.bench.creates [--nodes 10,100] [--creates 1000] [--clients 64]

Embedded engines are one process and clients another; the manager is this process alone, so that its CPU time per create is its own. On few
cores the engines are the slowest part: then the rate says little, and the CPU time what a manager could do with a core of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

import aiohttp

from contrib.bench.goals import Measured
from skep import Agent, parse_settings
from skep.testing import EmbeddedEngine

PLUGINS = ("health", "port", "dependency", "affinity", "constraint", "spread")
_ALL_RULES = ["constraint:node!=node3", "affinity:container!=*redis7*", "affinity:image==busybox*"]
_DEADLINE = 600.0
_PATIENT = {"connect_timeout": 60.0, "ping_timeout": 60.0, "call_timeout": 300.0}  # all engines are one process


async def _engines(pipe: Connection, nodes: int) -> None:
    async with AsyncExitStack() as stack:
        engines = [EmbeddedEngine(f"node{number}", cpus=64, memory=2**38) for number in range(nodes)]
        for engine in engines:
            await stack.enter_async_context(engine)
        pipe.send([engine.url for engine in engines])
        await asyncio.to_thread(pipe.poll, None)


async def _clients(pipe: Connection, clients: int) -> None:
    """Create when told to, until the other side closes the pipe: `(url, how many, first number)`."""
    while True:
        try:
            url, creates, first = await asyncio.to_thread(pipe.recv)
        except EOFError:
            return
        numbers = iter(range(first, first + creates))
        async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=0)) as session:
            failed = sum(await asyncio.gather(*(_client(session, numbers) for _ in range(clients))))
        pipe.send(failed)


async def _client(session: aiohttp.ClientSession, numbers: Iterator[int]) -> int:
    failed = 0
    for number in numbers:
        host = {"Memory": 2**24 * (1 + number % 8), "PortBindings": {"80/tcp": [{"HostPort": str(20000 + number)}]}}
        body = {"Image": "busybox", "Env": _ALL_RULES, "HostConfig": host}
        async with session.post(f"/containers/create?name=c{number}", json=body) as response:
            await response.read()
            failed += response.status != 201
    return failed


def _run(kind: Any, pipe: Connection, number: int) -> None:
    asyncio.run(kind(pipe, number))


@contextmanager
def _process(kind: Any, number: int) -> Iterator[Connection]:
    """`_engines` or `_clients` in another process; it ends when the pipe is closed."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_run, args=(kind, theirs, number))
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(10)
        process.kill()


async def _measure(urls: list[str], clients: Connection, creates: int) -> tuple[float, float]:
    """Creates per second, and the manager's CPU seconds per create."""
    plugins: dict[str, Any] = {name: {} for name in PLUGINS}
    settings = parse_settings(
        {"cluster": _PATIENT, "plugins": {**plugins, "docker_api": {"listen": ["tcp://127.0.0.1:0"]}}}
    )
    async with Agent(settings) as agent:
        await agent.cluster.set_engines(urls)
        await agent.cluster.tried(_DEADLINE)
        url: str = agent.plugins.plugins["docker_api"].urls[0].replace("tcp", "http")
        for count, first in ((creates // 10, 0), (creates, creates)):  # the first ones open the connections
            began, cpu = time.perf_counter(), time.process_time()
            clients.send((url, count, first))
            async with asyncio.timeout(_DEADLINE):
                failed = await asyncio.to_thread(clients.recv)
            if failed:
                raise SystemExit(f"{failed} of {count} creates failed")
        return creates / (time.perf_counter() - began), (time.process_time() - cpu) / creates


def measure(nodes: int, creates: int = 1000, clients: int = 64) -> Iterator[Measured]:
    """Measure one size of cluster."""
    with _process(_engines, nodes) as engines, _process(_clients, clients) as pipe:
        rate, cpu = asyncio.run(_measure(engines.recv(), pipe, creates))
    what = f"create through HTTP, {nodes:,} nodes, {clients} clients"
    yield Measured(f"{what}: CPU of the manager", cpu * 1000, "ms")
    yield Measured(f"{what}: end to end, on a shared machine", 1000 / rate, "ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="10,100")
    parser.add_argument("--creates", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=64)
    options = parser.parse_args()
    for size in options.nodes.split(","):
        for measured in measure(int(size), options.creates, options.clients):
            print(measured, flush=True)
