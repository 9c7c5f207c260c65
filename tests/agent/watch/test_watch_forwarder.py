"""Events that wait for the state are bounded in bytes too: one event may have a megabyte."""

from __future__ import annotations

import asyncio

from skep.cluster.listeners import EngineEvents
from skep.engine import EngineEvent
from skep.watch.forwarder import MOST_BYTES, Forwarder

LARGE = EngineEvent("container", "start", "a", {}, 1, b" " * 2**20)


async def test_large_events_are_thrown_away_when_they_are_too_much() -> None:
    told: list[EngineEvent] = []
    forwarder = Forwarder(told.append)
    taken = sum(forwarder.put(LARGE, ()) for _ in range(100))
    assert taken == MOST_BYTES // len(LARGE.raw)
    work = asyncio.create_task(forwarder.work())
    async with asyncio.timeout(5):
        while len(told) < taken:
            await asyncio.sleep(0)
    assert forwarder.put(LARGE, ())  # there is room again
    work.cancel()


async def test_a_listener_to_large_events_is_cut_off_sooner() -> None:
    events = EngineEvents()
    for _ in range(100):
        events.put("n1", LARGE)
    assert events.note.startswith("cut off: 64 events wait")
    assert len([each async for each in events]) == 64
