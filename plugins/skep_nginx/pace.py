"""Many hints, few reloads: the first at once, those that follow each other more and more slowly."""

from __future__ import annotations

import asyncio

__all__ = ["Pace"]

_GROWTH = 4.0
_URGENT = 0.5  # seconds; what must go is not kept for longer


class Pace:
    """Says when it is time to look at the state.

    After quiet times a hint is heeded at once. After each reload the next waits `quiet` seconds, and four times as long as the last one while
    each takes several containers' changes, `longest` at most. What takes a container out is urgent: half a second is the most for that.
    """

    def __init__(self, quiet: float, longest: float) -> None:
        self._quiet = quiet
        self._longest = longest
        self._gap = 0.0
        self._ended = 0.0  # when the last change was live
        self._marked = asyncio.Event()
        self._hurried = asyncio.Event()

    def mark(self, *, urgent: bool = False) -> None:
        """Something may have changed."""
        self._marked.set()
        if urgent:
            self._hurried.set()

    async def wait(self, timeout: float) -> None:
        """Return when it is time to look: after a hint, or after `timeout` seconds without one."""
        try:
            async with asyncio.timeout(timeout):
                await self._marked.wait()
        except TimeoutError:
            return
        await self._sleep_until(self._ended + self._gap)
        self._marked.clear()
        self._hurried.clear()

    async def _sleep_until(self, due: float) -> None:
        """But not longer than an urgent hint allows."""
        clock = asyncio.get_running_loop().time
        if clock() >= due:
            return
        try:
            async with asyncio.timeout_at(due):
                await self._hurried.wait()
        except TimeoutError:
            return
        await asyncio.sleep(min(due, self._ended + _URGENT) - clock())

    def went(self, began: float, changes: int) -> None:
        """A reload that took up so many containers' changes at `began`, by the loop's clock, is over."""
        if began - self._ended > 2 * max(self._gap, self._quiet):
            self._gap = 0.0
        wanted = self._gap * _GROWTH if changes > 1 else self._gap / _GROWTH
        self._gap = min(max(wanted, self._quiet), self._longest)
        self._ended = asyncio.get_running_loop().time()
