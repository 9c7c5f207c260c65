"""Running something until a signal ends it: what every long-running command does in the same way."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import click

from skep.cli.garbage import Collector
from skep.cli.logs import configure_logging
from skep.cli.notify import notify

__all__ = ["run_service"]

T = TypeVar("T")
_log = logging.getLogger("skep")


def run_service(
    opened: Callable[[], AbstractAsyncContextManager[T]],
    *,
    started: Callable[[T], None] | None = None,
    wait: Callable[[T], Awaitable[None]] | None = None,
    log_level: str = "info",
    log_format: str = "text",
) -> None:
    """Run an async context manager until SIGTERM or SIGINT; for commands of plugins too.

    opened: makes the context manager, within the loop. started: is called with what it yields, once it is up; systemd is told then.
    wait: returns or raises when the thing ends by itself. A signal while it starts cancels that; a second signal ends the process
    at once. Logs go to stderr; skep's own flags --log-level and --debug count more than `log_level`.
    """
    configure_logging(_asked_level() or log_level, log_format)
    with Collector() as collector:
        asyncio.run(_Service(collector).run(opened, started, wait))


def _asked_level() -> str | None:
    context = click.get_current_context(silent=True)
    given = context.find_root().params if context is not None else {}
    return "debug" if given.get("debug") else given.get("log_level")


class _Service:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._stop = asyncio.Event()
        self._main: asyncio.Task[None] | None = None
        self._up = False

    async def run(
        self,
        opened: Callable[[], AbstractAsyncContextManager[T]],
        started: Callable[[T], None] | None,
        wait: Callable[[T], Awaitable[None]] | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        self._main = asyncio.create_task(self._serve(opened, started, wait), name="skep service")
        collecting = asyncio.create_task(self._collector.run(), name="garbage")
        await asyncio.wait([self._main])
        collecting.cancel()
        if self._main.cancelled():
            raise SystemExit(130)
        self._main.result()

    async def _serve(
        self,
        opened: Callable[[], AbstractAsyncContextManager[T]],
        started: Callable[[T], None] | None,
        wait: Callable[[T], Awaitable[None]] | None,
    ) -> None:
        async with opened() as thing:
            self._up = True
            notify("READY=1")
            if started is not None:
                started(thing)
            ends: list[asyncio.Task[bool]] = [asyncio.create_task(_until(self._stop.wait()), name="signal")]
            if wait is not None:
                ends.append(asyncio.create_task(_until(wait(thing)), name="end"))
            done, rest = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            notify("STOPPING=1")
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
            for task in done:
                task.result()

    def _signalled(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            _log.warning("%s again: ending at once", number.name)
            os._exit(130)
        _log.info("%s: stopping; again ends at once", number.name)
        self._stop.set()
        if not self._up and self._main is not None:
            self._main.cancel()


async def _until(waiting: Awaitable[object]) -> bool:
    await waiting
    return True
