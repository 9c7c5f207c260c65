"""How long after an engine's event a plugin's hook is called.

    python -m contrib.bench.latency [--rounds 200] [--engine tcp://HOST:2375]

Containers are created, started and removed, one after the other, on an embedded engine in this process, or on the one that is given, which must
have the image busybox and this machine's clock. Measured is from the time that the engine wrote into its event `start`, to the call of
`container_started`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Iterator

import msgspec

from contrib.bench.goals import Measured
from skep import Agent, ContainerStarted, Engine, Plugin, parse_settings
from skep.testing import EmbeddedEngine

_DEADLINE = 30.0


class _Created(msgspec.Struct):
    id: str = msgspec.field(name="Id")


class Stopwatch(Plugin):
    """Notes when each container's start was told."""

    name = "stopwatch"

    def __init__(self) -> None:
        self.called: dict[str, asyncio.Future[float]] = {}

    async def container_started(self, event: ContainerStarted) -> None:
        if event.container.id in self.called:
            self.called[event.container.id].set_result(time.time())


async def rounds(address: str, count: int) -> list[float]:
    """The seconds between event and hook, of so many containers."""
    watch = Stopwatch()
    settings = parse_settings({"cluster": {"engines": [address]}})
    found = []
    async with Agent(settings, plugins=[watch]), Engine(address) as engine:
        filters = {"type": ["container"], "event": ["start"]}
        async with engine.events(filters=filters) as events:
            for _ in range(count):
                body = {"Image": "busybox", "Cmd": ["sleep", "1000"], "StopSignal": "SIGKILL"}
                answer = await engine.call("POST", "/containers/create", json=body)
                id_ = msgspec.json.decode(answer, type=_Created).id
                called = watch.called[id_] = asyncio.get_running_loop().create_future()
                async with asyncio.timeout(_DEADLINE):
                    await engine.call("POST", f"/containers/{id_}/start")
                    event = await anext(events)
                    while event.id != id_:
                        event = await anext(events)
                    found.append(await called - event.time_nano / 1e9)
                await engine.call("DELETE", f"/containers/{id_}", query={"force": True})
    return found


@contextlib.asynccontextmanager
async def engine_at(address: str | None) -> AsyncIterator[str]:
    """The engine that is given, or an embedded one."""
    if address:
        yield address
        return
    async with EmbeddedEngine("bench") as engine:
        yield engine.url


async def run(address: str | None, count: int) -> list[float]:
    """As `rounds`, on either kind of engine."""
    async with engine_at(address) as url:
        return await rounds(url, count)


def measure(address: str | None = None, count: int = 200) -> Iterator[Measured]:
    """Measure half, and all but one in a hundred."""
    parts = statistics.quantiles(asyncio.run(run(address, count)), n=100)
    kind = "a real engine" if address else "an embedded engine"
    yield Measured(f"event to hook, {kind}: p50", parts[49] * 1000, "ms")
    yield Measured(f"event to hook, {kind}: p99", parts[98] * 1000, "ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--engine", help="the address of a real engine")
    options = parser.parse_args()
    for measured in measure(options.engine, options.rounds):
        print(measured)
