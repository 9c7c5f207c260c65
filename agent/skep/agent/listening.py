"""The agent's events for whoever holds it: each listener has a bounded queue of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Self

from skep.events import LifecycleEvent, Lost

__all__ = ["EventStream"]

SIZE = 1024


class EventStream:
    """Events from the moment that this was made. Iterate over it; a listener that is too slow is told how many it lost.

    Ends with the agent, or by `aclose`.
    """

    def __init__(self) -> None:
        self._events: deque[LifecycleEvent] = deque()
        self._lost = 0
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, event: LifecycleEvent) -> None:
        """Add an event; where there is no room, the oldest goes."""
        if len(self._events) >= SIZE:
            self._events.popleft()
            self._lost += 1
        self._events.append(event)
        self._wake.set()

    def close(self) -> None:
        """End it, once what waits has been read."""
        self._closed = True
        self._wake.set()

    async def aclose(self) -> None:
        """End it at once."""
        self._events.clear()
        self._lost = 0
        self.close()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more comes."""
        return self._closed

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LifecycleEvent | Lost:
        while not self._events and not self._lost:
            if self._closed:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        if self._lost:
            lost, self._lost = Lost(self._lost), 0
            return lost
        return self._events.popleft()
