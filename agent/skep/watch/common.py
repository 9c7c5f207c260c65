"""What the watches of one cluster have in common."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from skep.models import Pool

__all__ = ["Common", "Turns"]

PINGS = 125.0
"""Pings a second of all engines together: each takes about a fifth of a millisecond."""

LISTINGS = 5.0
"""Rounds a second of all engines together, each of a handful of lists: about three milliseconds."""


class Turns:
    """So many at once, the others in their order. Whoever takes longer than `longest` seconds goes on, and holds up nobody any more.

    A thousand engines that are connected to at once would all answer at once: nothing else would be heard for a second, and memory for all
    their answers be needed at the same time.
    """

    def __init__(self, at_once: int, longest: float) -> None:
        self._free = at_once
        self._longest = longest
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Within it, it is one's turn."""
        await self._take()
        is_over = False

        def end() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                self._give()

        timer = asyncio.get_running_loop().call_later(self._longest, end)
        try:
            yield
        finally:
            timer.cancel()
            end()

    async def _take(self) -> None:
        if self._free > 0:
            self._free -= 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self._give()  # it was given to one who is gone
            raise

    def _give(self) -> None:
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._free += 1


@dataclass(slots=True)
class Common:
    """`pool`: values that engines tell alike. `connecting`, `reading`: who is connected to, and who is read as a whole, at the same time.

    `watched`: how many engines are watched.
    """

    pool: Pool = field(default_factory=Pool)
    connecting: Turns = field(default_factory=lambda: Turns(32, 1.0))
    reading: Turns = field(default_factory=lambda: Turns(8, 1.0))
    watched: int = 0

    def ping_interval(self, wanted: float) -> float:
        """Seconds between two pings of one engine: as wanted, unless that were more than `PINGS` of all.

        With a thousand engines, eight seconds. That one is gone shows in its event stream at once, that its host is gone within ten
        seconds by the kernel's probes; only one that is frozen is noticed by pings alone.
        """
        return max(wanted, self.watched / PINGS)

    def resync_interval(self, wanted: float) -> float:
        """Seconds between two rounds of one engine: as wanted, unless that were more than `LISTINGS` of all.

        They only find what no event told of; an engine that may have thrown events away is listed sooner, whatever this says.
        """
        return max(wanted, self.watched / LISTINGS)
