"""An engine's events, handed on when the state knows of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from skep.engine import EngineEvent
from skep.errors import SkepError

__all__ = ["Forwarder"]

MOST_WAITING = 10_000
"""Events that wait to be handed on; more are thrown away."""
MOST_BYTES = 16 * 2**20
"""Bytes of them, as they came."""
LONGEST_WAIT = 2.0
"""Seconds that an event waits for the state; one container that cannot be read must not keep all others' events."""


class Forwarder:
    """Hands events on in their order, each after the reads that it brought about."""

    def __init__(self, hand_on: Callable[[EngineEvent], None]) -> None:
        self._hand_on = hand_on
        self._waiting: asyncio.Queue[tuple[EngineEvent, Sequence[asyncio.Future[SkepError | None]]]]
        self._waiting = asyncio.Queue(MOST_WAITING)
        self._bytes = 0

    def put(self, event: EngineEvent, reads: Sequence[asyncio.Future[SkepError | None]]) -> bool:
        """Take an event; False when there are too many."""
        if self._waiting.full() or self._bytes + len(event.raw) > MOST_BYTES:
            return False
        self._bytes += len(event.raw)
        self._waiting.put_nowait((event, reads))
        return True

    async def work(self) -> None:
        """Hand on, until cancelled."""
        while True:
            event, reads = await self._waiting.get()
            self._bytes -= len(event.raw)
            unread = [read for read in reads if not read.done()]
            if unread:
                await asyncio.wait(unread, timeout=LONGEST_WAIT)
            self._hand_on(event)
