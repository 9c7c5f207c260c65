"""What a container or exec writes: kept for `logs`, followed by `attach` and `logs -f`."""

from __future__ import annotations

import asyncio
import struct
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import NamedTuple

STDOUT = 1
STDERR = 2
KEPT = 1000


class Chunk(NamedTuple):
    """One write: when (nanoseconds), to which stream, what."""

    time: int
    stream: int
    data: bytes


def frame(chunk: Chunk) -> bytes:
    """A chunk as it goes over a multiplexed stream: stream, three zero bytes, length, payload."""
    return struct.pack(">BxxxL", chunk.stream, len(chunk.data)) + chunk.data


class Output:
    """The last 1000 writes, and the means to follow them while the process lives."""

    __slots__ = ("_event", "_runs", "chunks", "count")

    def __init__(self) -> None:
        self.chunks: deque[Chunk] = deque(maxlen=KEPT)
        self.count = 0
        self._runs = 0
        self._event: asyncio.Event | None = None

    def write(self, stream: int, data: bytes) -> None:
        """Keep a write and wake the followers."""
        self.chunks.append(Chunk(time.time_ns(), stream, data))
        self.count += 1
        self._notify()

    def end(self) -> None:
        """The process ended: followers read what is left and stop. The next process may write again."""
        self._runs += 1
        self._notify()

    def _notify(self) -> None:
        if self._event is not None:
            self._event.set()
            self._event = None

    def kept(self, tail: int | None = None) -> list[Chunk]:
        """The kept writes, or the last `tail` of them."""
        chunks = list(self.chunks)
        return chunks if tail is None else chunks[max(0, len(chunks) - tail) :]

    def follow(self, first: int | None = None) -> AsyncIterator[Chunk]:
        """Writes as they come, from number `first` (default: from this call on), until the process ends."""
        return self._follow(self.count if first is None else first, self._runs)

    async def _follow(self, position: int, run: int) -> AsyncIterator[Chunk]:
        while True:
            missing = self.count - position
            position = self.count
            for chunk in self.kept(missing) if missing > 0 else ():
                yield chunk
            if position != self.count:
                continue
            if run != self._runs:
                return
            if self._event is None:
                self._event = asyncio.Event()
            await self._event.wait()
