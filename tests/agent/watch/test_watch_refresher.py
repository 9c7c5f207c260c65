"""`Refresher`: one reader of each thing at a time, the last read after the last mark, and a bound on what a flood costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from skep.errors import EngineUnreachableError, SkepError
from skep.watch import refresher
from skep.watch.refresher import BURST, WORKERS, Refresher
from tests.agent.cluster.observing import eventually


class Source:
    """Things with a value each, read as slowly as `gate` says; `seen` is what the last read of a thing found."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {}
        self.seen: dict[str, int] = {}
        self.history: list[int] = []
        self.reads: list[str] = []
        self.reading: set[str] = set()
        self.most_at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken: set[str] = set()
        self.failed: list[str] = []

    async def read(self, key: str) -> None:
        assert key not in self.reading
        self.reading.add(key)
        self.most_at_once = max(self.most_at_once, len(self.reading))
        self.reads.append(key)
        try:
            value = self.values.get(key, 0)
            await self.gate.wait()
            if key in self.broken:
                raise SkepError(f"{key} is broken")
            self.seen[key] = value
            self.history.append(value)
        finally:
            self.reading.discard(key)

    def note(self, key: str, error: SkepError) -> None:
        self.failed.append(key)


@asynccontextmanager
async def working(source: Source) -> AsyncIterator[Refresher[str]]:
    refresher = Refresher(source.read, source.note)
    tasks = [asyncio.create_task(refresher.work()) for _ in range(WORKERS)]
    try:
        yield refresher
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        refresher.close(EngineUnreachableError("over"))


async def test_marks_before_a_read_are_one_read() -> None:
    source = Source()
    async with working(source) as things:
        for _ in range(1000):
            things.mark("a")
        await things.ask("a")
        assert source.reads == ["a"]
        assert "a" not in things


async def test_a_mark_during_a_read_brings_one_more() -> None:
    source = Source()
    async with working(source) as things:
        source.gate.clear()
        things.mark("a")
        await eventually(lambda: source.reading)
        source.values["a"] = 5
        for _ in range(10):
            things.mark("a")
        source.gate.set()
        await eventually(lambda: source.seen.get("a") == 5)
        assert source.reads == ["a", "a"]


async def test_who_asks_during_a_read_gets_the_next_one() -> None:
    source = Source()
    async with working(source) as things:
        source.gate.clear()
        first = things.ask("a")
        await eventually(lambda: source.reading)
        source.values["a"] = 5
        second = things.ask("a")
        assert things.ask("a") is second
        source.gate.set()
        assert await first is None
        assert source.history[0] == 0
        assert await second is None
        assert source.history == [0, 5]


async def test_reads_are_few_at_once_and_who_waits_is_served_first() -> None:
    source = Source()
    async with working(source) as things:
        source.gate.clear()
        for number in range(50):
            things.mark(str(number))
        await eventually(lambda: len(source.reading) == WORKERS)
        urgent = things.ask("urgent", urgent=True)
        source.gate.set()
        await urgent
        assert source.reads.index("urgent") == WORKERS
        await eventually(lambda: len(source.seen) == 51)
        assert source.most_at_once == WORKERS


async def test_what_is_marked_all_the_time_is_read_seldom() -> None:
    source = Source()
    async with working(source) as things:
        loop = asyncio.get_running_loop()
        began, marks = loop.time(), 0
        while loop.time() < began + 0.5:
            things.mark("a")
            marks += 1
            source.values["a"] = marks
            await asyncio.sleep(0)
        assert BURST < len(source.reads) <= BURST + (loop.time() - began) / refresher.GAP + 2
        await eventually(lambda: source.seen["a"] == marks)
        others = things.ask("b")
        assert await others is None


async def test_a_failure_is_told_and_tried_again_more_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresher, "FIRST_RETRY", 0.05)
    source = Source()
    source.broken.add("a")
    async with working(source) as things:
        assert str(await things.ask("a")) == "a is broken"
        await eventually(lambda: len(source.failed) >= 3)
        reads = len(source.reads)
        assert str(await things.ask("a", urgent=True)) == "a is broken"
        assert len(source.reads) <= reads + 2
        assert await things.ask("b") is None
        source.broken.clear()
        await eventually(lambda: "a" in source.seen)
        await eventually(lambda: len(things) == 0)


async def test_at_the_end_nobody_waits_for_ever() -> None:
    source = Source()
    source.gate.clear()
    async with working(source) as things:
        being_read, waiting = things.ask("a"), things.ask("b")
        await eventually(lambda: source.reading)
        next_one = things.ask("a")
    for answer in (being_read, waiting, next_one, things.ask("c")):
        assert str(await answer) == "over"
