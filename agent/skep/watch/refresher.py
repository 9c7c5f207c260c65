"""What has to be read again, and who reads it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from skep.errors import SkepError

__all__ = ["Refresher"]

K = TypeVar("K")
Answer = asyncio.Future[SkepError | None]

WORKERS = 4
"""Reads of one engine at once."""
GAP = 0.05
"""Seconds between two reads of one thing when it changes all the time; `BURST` of them may come without a pause."""
BURST = 10
TIDY = 1.0
"""Seconds after which things that were read are forgotten."""
FIRST_RETRY, LAST_RETRY = 1.0, 30.0
"""Seconds until a read that failed is tried again: doubled each time, up to the second."""


@dataclass(slots=True)
class _Entry:
    """One thing. `dirty`: it is to be read; `reading`: it is being read now; `answer`: for those who wait for the next read."""

    dirty: bool = False
    reading: bool = False
    urgent: bool = False
    answer: Answer | None = None
    failures: int = 0
    not_before: float = 0.0
    paid_until: float = 0.0
    timer: asyncio.TimerHandle | None = None


class Refresher(Generic[K]):
    """A set of things that are dirty: each is read soon, by one reader at a time.

    However often a thing is marked before its read begins, it is read once; when it is marked while it is being read, it is read once more.
    So an older answer can never come after a newer one, and the last read of a thing began after its last mark. One that is marked all the time
    is read 20 times a second at most. `read` reads and applies a thing; when it raises SkepError, it is tried again, ever more slowly, and
    `failed` is told, which may raise to end it all.
    """

    def __init__(self, read: Callable[[K], Awaitable[None]], failed: Callable[[K, SkepError], None]) -> None:
        self._read = read
        self._failed = failed
        self._entries: dict[K, _Entry] = {}
        self._ready: OrderedDict[K, None] = OrderedDict()
        self._answers: set[Answer] = set()
        self._wake = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._tidying: asyncio.TimerHandle | None = None
        self._closed: SkepError | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        """Whether it is to be read, or being read."""
        entry = self._entries.get(key)
        return entry is not None and (entry.dirty or entry.reading)

    def mark(self, key: K) -> None:
        """It may have changed."""
        if self._closed is None:
            self._plan(key, self._entry(key))

    def ask(self, key: K, *, urgent: bool = False) -> Answer:
        """`mark`, and a future that is done when a read that began after this call was applied (None), or failed (the error).

        `urgent`: before all others, and at once even if there were many reads of it, or failures. Do not cancel the future; others may have it.
        """
        if self._closed is not None:
            closed: Answer = self._loop.create_future()
            closed.set_result(self._closed)
            return closed
        entry = self._entry(key)
        if entry.answer is None:
            entry.answer = self._loop.create_future()
            self._answers.add(entry.answer)
        entry.urgent = entry.urgent or urgent
        self._plan(key, entry)
        return entry.answer

    def _entry(self, key: K) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
        return entry

    def _plan(self, key: K, entry: _Entry, delay: float = 0.0) -> None:
        """Have it read as soon as it may be, but not before `delay` seconds."""
        entry.dirty = True
        if entry.reading:
            return
        if entry.urgent or key in self._ready:
            self._make_ready(key, entry)
            return
        now = self._loop.time()
        at = max(now + delay, entry.not_before, entry.paid_until - BURST * GAP)
        if at <= now:
            self._make_ready(key, entry)
        elif entry.timer is None or entry.timer.when() > at:
            self._drop_timer(entry)
            entry.timer = self._loop.call_at(at, self._make_ready, key, entry)

    def _make_ready(self, key: K, entry: _Entry) -> None:
        self._drop_timer(entry)
        self._ready[key] = None
        if entry.urgent:
            self._ready.move_to_end(key, last=False)
        self._wake.set()

    @staticmethod
    def _drop_timer(entry: _Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None

    async def work(self) -> None:
        """Read what is dirty, until cancelled or until `failed` raises. Run WORKERS of these."""
        while True:
            while not self._ready:
                self._wake.clear()
                await self._wake.wait()
            key, _ = self._ready.popitem(last=False)
            await self._work_on(key, self._entries[key])

    async def _work_on(self, key: K, entry: _Entry) -> None:
        answer, entry.answer = entry.answer, None
        entry.dirty, entry.urgent, entry.reading = False, False, True
        entry.paid_until = max(entry.paid_until, self._loop.time()) + GAP
        error: SkepError | None = None
        try:
            await self._read(key)
        except SkepError as caught:
            error = caught
        finally:
            entry.reading = False
        if answer is not None:
            self._answers.discard(answer)
            if not answer.done():
                answer.set_result(error)
        if error is not None:
            entry.failures += 1
            entry.not_before = self._loop.time() + FIRST_RETRY
            self._plan(key, entry, min(LAST_RETRY, FIRST_RETRY * 2 ** min(entry.failures - 1, 16)))
            self._failed(key, error)
            return
        entry.failures, entry.not_before = 0, 0.0
        if entry.dirty:
            self._plan(key, entry)
        elif self._tidying is None:
            self._tidying = self._loop.call_later(TIDY, self._tidy)

    def _tidy(self) -> None:
        """Forget what was read: kept for a while, lest somebody count on us to forget how often that was."""
        now = self._loop.time()
        for key, entry in list(self._entries.items()):
            if not entry.dirty and not entry.reading and entry.paid_until <= now:
                del self._entries[key]
        self._tidying = self._loop.call_later(TIDY, self._tidy) if self._entries else None

    def close(self, error: SkepError) -> None:
        """When nobody works any more: who waits is told `error`."""
        self._closed = error
        if self._tidying is not None:
            self._tidying.cancel()
        for entry in self._entries.values():
            self._drop_timer(entry)
        for answer in self._answers:
            if not answer.done():
                answer.set_result(error)
        self._answers.clear()
