"""A plugin's events: a bounded queue, and one worker that hands them over one after another."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skep.events import LifecycleEvent, Lost, PluginEvent
from skep.plugins.limits import GRACE, end, invoke, leave_behind
from skep.plugins.record import Record

__all__ = ["SIZE", "Mailbox"]

SIZE = 1024
"""Events that wait for one plugin at most; then the oldest go."""

Handler = tuple[str, Callable[..., Any], int]


class Mailbox:
    """Events for one plugin. `put` never waits; the worker calls the plugin within its timeout, and a failure only counts.

    handlers: for each event's hook, what to call in turn: hook, function, and how many arguments it takes.
    """

    def __init__(self, record: Record, handlers: Mapping[str, Sequence[Handler]], lost: Sequence[Handler]) -> None:
        self._record = record
        self._handlers = handlers
        self._lost_handlers = lost
        self._events: deque[LifecycleEvent | PluginEvent] = deque()
        self._lost = 0
        self._failed_with = 0  # events, in a row
        self._wake = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False
        self._cut_off_at = float("inf")
        self._busy_with = ""

    def put(self, event: LifecycleEvent | PluginEvent) -> None:
        """Add an event; where there is no room, the oldest goes."""
        if self._closed:
            return
        if len(self._events) >= SIZE:
            self._events.popleft()
            self._lost += 1
            self._record.dropped += 1
        self._events.append(event)
        self._record.waiting = len(self._events)
        self._wake.set()

    def start(self) -> None:
        """Begin to hand events over."""
        self._worker = asyncio.create_task(self._work(), name=f"plugin {self._record.name}: events")

    def check(self) -> None:
        """Replace a worker whose plugin did not end when it was cut off. Called now and again."""
        if self._worker is None or time.monotonic() < self._cut_off_at + GRACE:
            return
        self._record.failed(self._busy_with, TimeoutError(), timed_out=True)
        self._record.log.error("%s did not end when it was cancelled; it is left behind", self._busy_with)
        left, self._worker = self._worker, None
        self._cut_off_at = float("inf")
        left.cancel()
        leave_behind(left)
        self._lost += 1
        self._wake.set()
        self.start()

    def close(self) -> None:
        """Take no more events, and drop what waits."""
        self._closed = True
        self._events.clear()
        self._lost = self._record.waiting = 0

    async def stop(self) -> None:
        """Stop handing over; what waits is dropped."""
        self.close()
        if self._worker is not None and not await end(self._worker, self._record.table.timeout):
            self._record.log.error("%s did not end when the agent stopped; it is left behind", self._busy_with)

    async def _work(self) -> None:
        me = asyncio.current_task()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._events or self._lost:
                await self._sit_out()
                if self._closed:
                    return
                if self._lost:  # the oldest went, so this comes first
                    lost, self._lost = Lost(self._lost), 0
                    for handler in self._lost_handlers:
                        await self._call(handler, lost)
                        if self._worker is not me:
                            return
                    continue
                event = self._events.popleft()
                self._record.waiting = len(self._events)
                for handler in self._handlers.get(event.hook, ()):
                    await self._call(handler, event)
                    if self._worker is not me:
                        return  # another one took over while the plugin hung

    async def _sit_out(self) -> None:
        """Wait while the plugin is benched. It is told afterwards how many events it failed with."""
        if seconds := self._record.benched_for():
            await asyncio.sleep(seconds)
            self._record.benched_for()
            self._lost += self._failed_with
            self._failed_with = 0

    async def _call(self, handler: Handler, argument: object) -> None:
        hook, function, takes = handler
        record, counters = self._record, self._record.counters(handler[0])
        counters.calls += 1
        started = time.monotonic()
        self._cut_off_at, self._busy_with = started + record.table.timeout, hook
        me = asyncio.current_task()
        try:
            async with asyncio.timeout(record.table.timeout) as scope:
                await invoke(function, *(argument,)[:takes])
            if scope.expired():
                raise TimeoutError
        except Exception as error:
            if self._worker is me:
                self._failed_with += 1
                record.failed(hook, error, timed_out=scope.expired())
        else:
            self._failed_with = 0
            record.succeeded()
        finally:
            if self._worker is me:
                counters.seconds += time.monotonic() - started
                self._cut_off_at = float("inf")
