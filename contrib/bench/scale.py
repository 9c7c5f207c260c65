"""What a large cluster costs its manager: memory for each container that is known, and the time until all nodes are understood.

    python -m contrib.bench.scale [--nodes 100] [--containers 30]

The engines are embedded ones, in a process of their own; the agent is this process, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from contrib.bench.goals import Measured
from skep import Agent, parse_settings
from skep.testing import EmbeddedEngine

_PAGE = os.sysconf("SC_PAGE_SIZE")


def _serve(pipe: Connection, nodes: int, containers: int) -> None:
    asyncio.run(_engines(pipe, nodes, containers))


async def _engines(pipe: Connection, nodes: int, containers: int) -> None:
    """So many engines with so many containers each, until the other side closes the pipe."""
    async with AsyncExitStack() as stack:
        urls = []
        for node in range(nodes):
            engine = await stack.enter_async_context(EmbeddedEngine(f"node{node}", cpus=64, memory=2**38))
            for number in range(containers):
                labels = {f"com.example.label{n}": f"value {n} of {number}" for n in range(5)}
                env = {f"VARIABLE_{n}": f"value {n}" for n in range(8)}
                engine.run(f"web-{node}-{number}", "nginx", labels=labels, env=env, ports={80: 8000 + number})
            urls.append(engine.url)
        pipe.send(urls)
        await asyncio.to_thread(pipe.poll, None)


@contextmanager
def engines(nodes: int, containers: int) -> Iterator[list[str]]:
    """The addresses of so many engines in another process."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, nodes, containers))
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.join(10)
        process.kill()
        process.join()


def resident() -> float:
    """This process' resident memory in MB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6


async def load(urls: list[str], containers: int) -> tuple[float, float, float]:
    """Seconds until all is known, and the MB before and after."""
    async with Agent(parse_settings({})) as agent:
        before, began = resident(), time.perf_counter()
        await agent.cluster.set_engines(urls)
        await agent.cluster.tried(600)
        seconds = time.perf_counter() - began
        known = len(list(agent.cluster.state.containers()))
        if known != containers:
            raise SystemExit(f"{known} containers are known, not {containers}")
        return seconds, before, resident()


def measure(nodes: int = 100, containers: int = 30) -> Iterator[Measured]:
    """Measure one agent with all of them."""
    with engines(nodes, containers) as urls:
        seconds, before, after = asyncio.run(load(urls, nodes * containers))
    what = f"{nodes} nodes of {containers} containers"
    yield Measured(f"{what}: until all are known", seconds, "s")
    yield Measured(f"{what}: resident", after, "MB")
    yield Measured(f"{what}: for each node", 1000 * (after - before) / nodes, "kB")
    yield Measured(f"{what}: for each container", 1000 * (after - before) / nodes / containers, "kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--containers", type=int, default=30)
    options = parser.parse_args()
    for measured in measure(options.nodes, options.containers):
        print(measured)
