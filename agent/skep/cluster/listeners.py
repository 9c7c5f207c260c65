"""Who listens to the engines' own events."""

from __future__ import annotations

import asyncio
from collections import deque

from skep.engine import EngineEvent

__all__ = ["EngineEvents"]

MOST_WAITING = 10_000
"""Events that may wait for one listener."""
MOST_BYTES = 64 * 2**20
"""Bytes of them, as they came."""


class EngineEvents:
    """The events of all engines from now on, each with its node's name: ``async for node, event in events``.

    One who listens more slowly than things happen is cut off: the iteration ends after what waits already, and `note` says so.
    """

    def __init__(self, most: int = MOST_WAITING) -> None:
        self.note = ""
        self._most = most
        self._waiting: deque[tuple[str, EngineEvent]] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()

    def put(self, node: str, event: EngineEvent) -> None:
        """Hand an event over; never waits."""
        if self.note:
            return
        if len(self._waiting) >= self._most or self._bytes + len(event.raw) > MOST_BYTES:
            many = len(self._waiting)
            self.note = f"cut off: {many} events wait, and nobody reads them; read faster, or connect again"
        else:
            self._bytes += len(event.raw)
            self._waiting.append((node, event))
        self._wake.set()

    def __aiter__(self) -> EngineEvents:
        return self

    async def __anext__(self) -> tuple[str, EngineEvent]:
        while not self._waiting:
            if self.note:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        node, event = self._waiting.popleft()
        self._bytes -= len(event.raw)
        return node, event

    async def get(self) -> tuple[str, EngineEvent]:
        """The next one. Raises asyncio.QueueFull, with the note, when cut off."""
        try:
            return await anext(self)
        except StopAsyncIteration:
            raise asyncio.QueueFull(self.note) from None
