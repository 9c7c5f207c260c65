"""How fast a container that starts is served, and what that costs.

    python -m contrib.bench.nginx [--rounds 30] [--sites 0,200,1000] [--embedded] [--part latency,burst,render,idle]

A container is started on a real engine of the lab (or, with --embedded, on one in this process), beside so many sites that are there already.
Measured is from the engine's answer to `start` to the first 200 for its host; between two rounds nothing happens for a second.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator

from contrib.bench.goals import Measured
from contrib.bench.nginx_world import World, create, engine_to_start_on, status_of, until, world
from skep import Engine
from skep_nginx.collect import Collector
from skep_nginx.reach import View
from skep_nginx.render import render
from skep_nginx.sites import build

GOALS = {0: (60.0, 120.0), 200: (120.0, 250.0), 1000: (None, 500.0)}
_PAUSE = 1.0
_MANY = 100


class Answering:
    """What answers in place of an embedded engine's containers."""

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._answer, "0.0.0.0", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()


async def latency(rounds: int, sites: int, *, real: bool) -> AsyncIterator[Measured]:
    """From `start` to the first answer."""
    found = []
    async with (
        engine_to_start_on(real=real) as (url, _),
        Answering() as port,
        world(sites, url) as served,
        Engine(url) as engine,
    ):
        for number in range(rounds):
            host = f"new{number}.example"
            id_ = await create(engine, host, real=real, port=port)
            await asyncio.sleep(_PAUSE)
            await engine.call("POST", f"/containers/{id_}/start")
            began = time.perf_counter()
            while await status_of(served.port, host) != 200:
                await asyncio.sleep(0.001)
            found.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(_PAUSE)
            await engine.call("DELETE", f"/containers/{id_}", query={"force": True})
    p50, p99 = GOALS.get(sites, (None, None))
    parts = statistics.quantiles(found, n=100, method="inclusive")
    what = f"start to 200, {sites} sites{'' if real else ', embedded engine'}"
    yield Measured(f"{what}: p50", parts[49], "ms", p50)
    yield Measured(f"{what}: p99", parts[98], "ms", p99)


async def burst(*, real: bool) -> AsyncIterator[Measured]:
    """A hundred at once."""
    async with (
        engine_to_start_on(real=real) as (url, _),
        Answering() as port,
        world(0, url) as served,
        Engine(url) as engine,
    ):
        ids = [await create(engine, f"burst{number}.example", real=real, port=port) for number in range(_MANY)]
        await asyncio.sleep(_PAUSE)
        before, cpu, began = dict(served.counts), time.process_time(), time.monotonic()
        await asyncio.gather(*(engine.call("POST", f"/containers/{id_}/start", timeout=120) for id_ in ids))
        started = time.monotonic() - began
        await until(lambda: _served(served) == _MANY)
        kind = "" if real else ", embedded engine"
        what = f"{_MANY} started at once{kind}"
        yield Measured(f"{what}: the engine's time", started, "s")
        yield Measured(f"{what}: until all are served", time.monotonic() - began, "s")
        yield Measured(f"{what}: reloads", served.counts["reloads"] - before["reloads"], "", 10)
        yield Measured(f"{what}: renders", served.counts["renders"] - before["renders"], "")
        # Of this process: the agent, the calls that start the containers, and an embedded engine.
        yield Measured(f"{what}: CPU", time.process_time() - cpu, "s", 1.0 if real else None)
        await asyncio.gather(
            *(engine.call("DELETE", f"/containers/{id_}", query={"force": True}, timeout=120) for id_ in ids)
        )


def _served(served: World) -> int:
    return sum(backend.server is not None for backend in served.plugin.work.applier.backends)


async def rendering(sites: int = 1000, rounds: int = 15) -> AsyncIterator[Measured]:
    """From state to text."""
    async with world(sites) as served:
        state, applier = served.agent.cluster.state, served.plugin.work.applier
        collector, view = Collector(), View(direct=False)
        backends = collector.collect(state, view).backends
        yield await _median(f"collect {sites} containers, none changed", lambda: collector.collect(state, view), rounds)
        yield await _median(
            f"render {sites} sites", lambda: render(build(backends, applier.rules), applier.style), rounds, 50.0
        )


async def _median(what: str, call: object, rounds: int, goal: float | None = None) -> Measured:
    found = []
    for _ in range(rounds):
        began = time.thread_time()
        call()  # type: ignore[operator]
        found.append(1000 * (time.thread_time() - began))
        await asyncio.sleep(0)
    return Measured(f"{what}, CPU: median", statistics.median(found), "ms", goal)


async def idle(sites: int = 1000, seconds: float = 35.0) -> AsyncIterator[Measured]:
    """When nothing changes."""
    async with world(sites) as served:
        await asyncio.sleep(5)
        reloads = served.counts["reloads"]
        cpu, began = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        share = 100 * (time.process_time() - cpu) / (time.monotonic() - began)
        yield Measured(f"idle, {sites} sites: CPU of the agent", share, "%", 1.0)
        yield Measured(f"idle, {sites} sites: reloads", served.counts["reloads"] - reloads, "", 0.5)


async def run(options: argparse.Namespace) -> bool:
    """Measure what is asked for; whether all goals are met."""
    real, parts = not options.embedded, options.part.split(",")
    measures = [latency(options.rounds, int(n), real=real) for n in options.sites.split(",") if "latency" in parts]
    measures += [burst(real=real)] if "burst" in parts else []
    measures += [rendering()] if "render" in parts else []
    measures += [idle()] if "idle" in parts else []
    met = True
    for measure in measures:
        async for measured in measure:
            print(measured, flush=True)
            met &= measured.met
    return met


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--sites", default="0,200,1000")
    parser.add_argument("--embedded", action="store_true", help="start containers on an embedded engine")
    parser.add_argument("--part", default="latency,burst,render,idle")
    raise SystemExit(not asyncio.run(run(parser.parse_args())))
