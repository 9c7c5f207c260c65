"""The engine's event log: remembers the last 256 and feeds those who listen.

A listener who does not read loses events, as with a real engine, which drops them for slow readers.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

REMEMBERED = 256
READER_LIMIT = 1024

Attributes = Mapping[str, str]


@dataclass(slots=True, frozen=True)
class Event:
    """One event: `action` on the object `actor` of `type`, at `time` (nanoseconds since 1970)."""

    type: str
    action: str
    actor: str
    attributes: Attributes
    time: int

    def wire(self, *, legacy: bool = True) -> dict[str, Any]:
        """The event as `GET /events` sends it.

        `legacy` adds ``status``, ``id`` and ``from``, which engines send up to API 1.51.
        """
        old: dict[str, Any] = {}
        if legacy and self.type in ("container", "image"):
            old = {"status": self.action, "id": self.actor}
            if self.type == "container":
                old["from"] = self.attributes.get("image", "")
        return old | {
            "Type": self.type,
            "Action": self.action,
            "Actor": {"ID": self.actor, "Attributes": self.attributes},
            "scope": "local",
            "time": self.time // 1_000_000_000,
            "timeNano": self.time,
        }


class Reader:
    """One listener's bounded queue; iterate it for batches of events, in order, until it is closed."""

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        """Queue an event, or drop it when 1024 wait already."""
        if len(self._waiting) < READER_LIMIT:
            self._waiting.append(event)
            self._wake.set()

    def close(self) -> None:
        """End the iteration once what waits has been read."""
        self._closed = True
        self._wake.set()

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch = list(self._waiting)
            self._waiting.clear()
            if batch:
                yield batch
            if self._closed:
                return


class EventLog:
    """Everything that happened on one engine, as far as an engine remembers it."""

    def __init__(self) -> None:
        self.recent: deque[Event] = deque(maxlen=REMEMBERED)
        self.readers: set[Reader] = set()
        self._last = 0

    def emit(self, type_: str, action: str, actor: str, attributes: Attributes) -> Event:
        """Record an event and hand it to all readers. Times never repeat nor go back."""
        self._last = max(time.time_ns(), self._last + 1)
        event = Event(type_, action, actor, attributes, self._last)
        self.recent.append(event)
        self.send(event)
        return event

    def send(self, event: Event) -> None:
        """Hand an event to all readers without recording it (faults replay old ones this way)."""
        for reader in self.readers:
            reader.put(event)

    def close_readers(self) -> None:
        """End all event streams now open."""
        for reader in self.readers:
            reader.close()

    def forget(self) -> None:
        """Lose the history, as an engine does when it restarts."""
        self.recent.clear()
