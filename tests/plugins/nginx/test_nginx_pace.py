"""When a change goes to nginx: the first at once, a burst as a few."""

import asyncio
import itertools

from skep_nginx.pace import Pace


def now() -> float:
    return asyncio.get_running_loop().time()


async def changes(pace: Pace, seconds: float, every: float) -> list[float]:
    """Hints come all the time for some seconds; when they were heeded."""
    began, found = now(), []
    hints = asyncio.create_task(_hint(pace, seconds, every))
    while not hints.done():
        await pace.wait(0.5)
        took = now()
        found.append(took - began)
        pace.went(took, 3)
    return found


async def _hint(pace: Pace, seconds: float, every: float) -> None:
    until = now() + seconds
    while now() < until:
        pace.mark()
        await asyncio.sleep(every)


async def test_the_first_change_does_not_wait() -> None:
    pace = Pace(0.2, 4.0)
    pace.mark()
    began = now()
    await pace.wait(10)
    assert now() - began < 0.1
    pace.went(now(), 1)
    pace.mark()
    began = now()
    await pace.wait(10)
    assert now() - began > 0.15  # the second does


async def test_without_a_hint_it_waits_as_long_as_it_may() -> None:
    began = now()
    await Pace(0.1, 1).wait(0.15)
    assert 0.14 < now() - began < 1


async def test_hints_that_keep_coming_are_heeded_more_and_more_rarely_but_in_time() -> None:
    pace = Pace(0.02, 0.5)
    found = await changes(pace, 2.0, 0.005)
    gaps = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert len(found) <= 9, found
    assert found[0] < 0.05
    assert gaps == sorted(gaps) or max(gaps) < 0.7, gaps
    assert max(gaps) < 0.7, gaps


async def test_what_takes_a_container_out_does_not_wait_for_the_burst_to_end() -> None:
    pace = Pace(3.0, 60.0)
    pace.mark()
    await pace.wait(1)
    pace.went(now(), 1)
    pace.mark()
    waiting = asyncio.create_task(pace.wait(30))
    await asyncio.sleep(0)
    pace.mark(urgent=True)
    began = now()
    async with asyncio.timeout(2):
        await waiting
    assert now() - began < 1


async def test_after_quiet_times_it_is_quick_again() -> None:
    pace = Pace(0.05, 0.2)
    await changes(pace, 0.5, 0.005)
    await asyncio.sleep(0.6)
    pace.mark()
    began = now()
    await pace.wait(10)
    assert now() - began < 0.04


async def test_one_change_after_another_is_no_burst() -> None:
    pace = Pace(0.02, 60.0)
    for _ in range(8):
        pace.mark()
        began = now()
        await pace.wait(10)
        assert now() - began < 0.5
        pace.went(now(), 1)
