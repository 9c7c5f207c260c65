"""An embedded engine is light and fast enough for thousands of nodes in a few processes."""

from __future__ import annotations

import gc
import time
import tracemalloc

import aiohttp

from skep.testing import EmbeddedEngine

CONTAINERS = 30
LIMIT = 200_000  # bytes


async def populated(name: str) -> EmbeddedEngine:
    engine = EmbeddedEngine(name, labels={"zone": "a"})
    await engine.start()
    for number in range(CONTAINERS):
        engine.run(
            f"c{number}",
            "nginx",
            ports={80: 8000 + number},
            labels={"app": "x", "n": str(number)},
            env={"A": "b"},
        )
    return engine


async def test_thirty_containers_take_less_than_200_kb() -> None:
    first = await populated("warm")
    gc.collect()
    tracemalloc.start()
    try:
        engine = await populated("measured")
        gc.collect()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    await engine.stop()
    await first.stop()

    assert used < LIMIT


async def test_a_list_of_thirty_takes_less_than_a_few_milliseconds() -> None:
    engine = await populated("timed")
    connector = aiohttp.UnixConnector(engine.url.removeprefix("unix://"))
    async with aiohttp.ClientSession("http://engine", connector=connector) as session:
        rounds = 50
        for path in ("/containers/json", "/containers/c7/json", "/info"):
            begin = time.perf_counter()
            for _ in range(rounds):
                async with session.get(path) as answer:
                    await answer.read()
            assert (time.perf_counter() - begin) / rounds < 0.01, path
    await engine.stop()
