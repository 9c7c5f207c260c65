"""What it costs to keep many env files true.

    python -m contrib.bench.envfiles [--files 1000] [--lookups 20] [--variables 20]

The lookups answer after 20 ms, and count how often they are asked. Told are the calls of a round; the CPU time of rounds that write every file, that
find nothing to write, and that change every file; and the most CPU time that the event loop's thread spent in one turn.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Any

from contrib.bench.goals import LONGEST_STALL, Measured
from skep import Agent, Lookup, Plugin, Values, parse_settings

_LATENCY = 0.02


class Things(Plugin):
    """The lookup `things`: as many variables as it is told, of its latest version."""

    name = "things"
    calls = 0
    version = 0
    variables = 0

    def lookups(self) -> Mapping[str, Lookup]:
        return {"things": Lookup(resolve=self.resolve)}

    async def resolve(self, properties: Mapping[str, Any]) -> Values:
        self.calls += 1
        await asyncio.sleep(_LATENCY)
        return Values({f"Output{number}": f"{self.version}-{'v' * 40}" for number in range(self.variables)})


class Turns:
    """The most CPU time of one turn of the loop, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            self.longest, last = max(self.longest, now - last), now


async def _measure(files: int, lookups: int, variables: int) -> list[Measured]:
    things = Things()
    things.variables = variables
    what = f"{files} env files of {lookups} lookups"
    with tempfile.TemporaryDirectory() as folder:
        tables = {
            f"file{number}": {
                "path": f"{folder}/{number}.env",
                "sources": [{"lookup": "things", "properties": {"Name": str(number % lookups)}}],
            }
            for number in range(files)
        }
        settings = parse_settings({"plugins": {"envfile": {"files": tables, "state": f"{folder}/state.json"}}})
        async with Agent(settings, plugins=[things]) as agent:
            keeper = agent.plugins.plugins["envfile"].keeper
            while not all(each.succeeded for each in keeper.files.values()):
                await asyncio.sleep(0.01)
            measured = [Measured(f"{what}, first round: calls", things.calls, "calls", lookups)]
            cpu = {}
            for name, change in (("nothing new", 0), ("all changed", 1)):
                things.calls, things.version = 0, things.version + change
                began = time.process_time()
                await keeper.refresh()
                cpu[name] = time.process_time() - began
                measured.append(Measured(f"{what}, {name}: calls", things.calls, "calls", lookups))
                measured.append(Measured(f"{what}, {name}: CPU time", 1000 * cpu[name], "ms"))
            turns = Turns()
            watcher = asyncio.create_task(turns.watch(), name="turns")
            things.version += 1
            await keeper.refresh()
            watcher.cancel()
            longest = 1000 * turns.longest
            measured.append(Measured(f"{what}: longest turn of the loop, CPU time", longest, "ms", LONGEST_STALL))
    return measured


def measure(files: int = 1000, lookups: int = 20, variables: int = 20) -> Iterator[Measured]:
    """Measure it."""
    yield from asyncio.run(_measure(files, lookups, variables))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--lookups", type=int, default=20)
    parser.add_argument("--variables", type=int, default=20)
    told = parser.parse_args()
    for each in measure(told.files, told.lookups, told.variables):
        print(each, flush=True)
