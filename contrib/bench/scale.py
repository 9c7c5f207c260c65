"""What a large cluster costs its manager: memory for each node and container, time and stalls until all are known, and a listing.

    python -m contrib.bench.scale [--nodes 1000] [--containers 30]

The engines are canned ones (`contrib.bench.canned`) in a process of their own; so is each manager. It has the plugins of `skep manage`, and has
placed a container by all rules, so that the indexes for that are in the figures. Rows of listings are kept up to a fixed amount, which is told
by itself. A container's share is the difference between a manager of such nodes and one of as many empty nodes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from contrib.bench.canned import engines
from contrib.bench.goals import BYTES_PER_CONTAINER, LONGEST_STALL, Measured
from skep import Agent, Engine, parse_settings

_PAGE = os.sysconf("SC_PAGE_SIZE")
_PLUGINS = ("health", "port", "dependency", "affinity", "constraint", "spread")
_RULES = {
    "Image": "registry.example.com/shop/service7",
    "Env": ["constraint:disk==s*", "affinity:container!=*none*", "affinity:com.docker.compose.project==~shop"],
    "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8031"}]}, "Memory": 2**20},
}
_BEAT = 0.002  # seconds
_DEADLINE = 300.0
_PATIENT = {"connect_timeout": 60.0, "ping_timeout": 60.0, "call_timeout": 300.0}  # all engines are one process
_SETTLING, _IDLE = (
    20.0,
    10.0,
)  # seconds: until the connections of the start are gone; in which an idle manager's CPU time is taken
LISTED = 5000


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one manager. Seconds, and MB (10^6 bytes) of resident memory: before it knew anything, when it knew all, and when that was listed.

    `idle`: its share of a CPU in between, when nothing happens. `listing`: CPU seconds, the answer's way to its reader included.
    """

    joined: float
    cpu: float
    stall: float
    before: float
    after: float
    idle: float
    listing: float
    listed: float


def resident() -> float:
    """This process' resident memory in MB."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6


def manage(urls: list[str], containers: int) -> Cost:
    """Be a manager of these engines."""
    from skep.cli.garbage import Collector

    with Collector(), tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_manage(urls, containers, f"unix://{folder}/docker.sock"))


async def _manage(urls: list[str], containers: int, endpoint: str) -> Cost:
    plugins = {**{name: {} for name in _PLUGINS}, "docker_api": {"listen": [endpoint]}}
    async with (
        Agent(parse_settings({"cluster": _PATIENT, "plugins": plugins})) as agent,
        Engine(endpoint, connect_timeout=60) as client,
    ):
        await client.ping()
        lags: list[float] = []
        beating = asyncio.create_task(_beat(lags))
        before, began, cpu = resident(), time.perf_counter(), time.process_time()
        lags.clear()
        await agent.cluster.set_engines(urls)
        await agent.cluster.tried(600)
        async with asyncio.timeout(_DEADLINE):  # a read that takes too long on a busy machine is tried again
            while sum(len(node.containers) for node in agent.cluster.state.nodes) != containers:
                await asyncio.sleep(_BEAT)
        joined, cpu = time.perf_counter() - began, time.process_time() - cpu
        beating.cancel()
        agent.place(agent.request(json.dumps(_RULES).encode()))
        await asyncio.sleep(_SETTLING)
        after, idle = resident(), time.process_time()
        await asyncio.sleep(_IDLE)
        idle = (time.process_time() - idle) / _IDLE
        listing = min([await _list(client, idle) for _ in range(3)])
        return Cost(joined, cpu, max(lags), before, after, idle, listing, resident())


async def _list(client: Engine, idle: float) -> float:
    """CPU seconds to list so many containers and to read that; what comes is thrown away, as this process is not to hold it.

    Without the share that an idle manager takes meanwhile.
    """
    began, at = time.process_time(), time.perf_counter()
    async with client.stream("GET", "/containers/json", query={"all": True, "limit": LISTED}) as response:
        async for _ in response.content.iter_any():
            pass
    return time.process_time() - began - idle * (time.perf_counter() - at)


async def _beat(lags: list[float]) -> None:
    """The CPU time that the loop took between two beats: others on the machine count little."""
    while True:
        began = time.thread_time()
        await asyncio.sleep(_BEAT)
        lags.append(time.thread_time() - began)


def cost(nodes: int, containers: int) -> Cost:
    """Of a manager, in another process, of so many nodes with so many containers each."""
    spawn = multiprocessing.get_context("spawn")
    with engines(nodes, containers) as urls, ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(manage, urls, nodes * containers).result()


def measure(nodes: int = 100, containers: int = 30) -> Iterator[Measured]:
    """Measure a manager of empty nodes, and one of full ones."""
    empty, full = cost(nodes, 0), cost(nodes, containers)
    what = f"{nodes} nodes of {containers} containers"
    yield Measured(f"{what}: until all are known", full.joined, "s")
    yield Measured(f"{what}: CPU until then", full.cpu, "s")
    yield Measured(f"{what}: the loop's longest stall", 1000 * full.stall, "ms", LONGEST_STALL)
    yield Measured(f"{what}: CPU when idle", 100 * full.idle, "%")
    yield Measured(f"{what}: CPU to list {LISTED} at most", 1000 * full.listing, "ms")
    yield Measured(f"{what}: more after that, for the rows kept", full.listed - full.after, "MB")
    yield Measured(f"{what}: resident", full.after, "MB")
    yield Measured(f"{nodes} empty nodes: for each node", 1e3 * (empty.after - empty.before) / nodes, "kB")
    more = (full.after - full.before) - (empty.after - empty.before)
    yield Measured(f"{what}: for each container", 1e6 * more / nodes / containers, "B", BYTES_PER_CONTAINER)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--containers", type=int, default=30)
    options = parser.parse_args()
    for measured in measure(options.nodes, options.containers):
        print(measured, flush=True)
