"""Turns: few at once, and nobody who is slow, cancelled or gone holds up the others."""

from __future__ import annotations

import asyncio

import pytest

from skep.watch.common import Common, Turns


async def test_so_many_at_once_in_their_order() -> None:
    turns, order, most, now = Turns(2, 60.0), [], 0, 0

    async def work(number: int) -> None:
        nonlocal most, now
        async with turns.one():
            now += 1
            most = max(most, now)
            order.append(number)
            await asyncio.sleep(0)
            now -= 1

    await asyncio.gather(*(work(number) for number in range(9)))
    assert (most, order) == (2, list(range(9)))


async def test_one_who_takes_long_holds_up_nobody() -> None:
    turns, goes_on = Turns(1, 0.01), asyncio.Event()

    async def slow() -> None:
        async with turns.one():
            await goes_on.wait()

    first = asyncio.create_task(slow())
    await asyncio.sleep(0)
    async with asyncio.timeout(5), turns.one():
        assert not first.done()
    goes_on.set()
    await first
    # it gave its turn back once, not twice: there is one again, and no more
    async with asyncio.timeout(5), turns.one():
        assert turns._free == 0


async def test_one_who_is_cancelled_gives_its_turn_on() -> None:
    turns = Turns(1, 60.0)

    async def wait() -> None:
        async with turns.one():
            pass

    async with turns.one():
        waiting, given = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    given.cancel()  # just now it was given the turn
    await asyncio.wait([given])
    async with asyncio.timeout(5), turns.one():
        assert turns._free == 0
    assert turns._free == 1


@pytest.mark.parametrize(
    ("watched", "wanted", "interval"), [(1, 1.0, 1.0), (125, 1.0, 1.0), (1000, 1.0, 8.0), (1000, 9.0, 9.0)]
)
def test_many_engines_are_pinged_in_turn(watched: int, wanted: float, interval: float) -> None:
    assert Common(watched=watched).ping_interval(wanted) == interval


@pytest.mark.parametrize(
    ("watched", "wanted", "interval"), [(1, 30.0, 30.0), (150, 30.0, 30.0), (1000, 30.0, 200.0), (1000, 900.0, 900.0)]
)
def test_many_engines_are_listed_in_turn(watched: int, wanted: float, interval: float) -> None:
    assert Common(watched=watched).resync_interval(wanted) == interval
