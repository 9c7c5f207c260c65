"""A plugin's life: entered, its `run` supervised, left; nothing of it can hold the agent up for longer than its timeout."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress

from skep.errors import PluginError, SettingsError
from skep.hooks import Plugin
from skep.plugins.limits import GRACE, CutOffError, StoppedError, end, invoke
from skep.plugins.mailbox import Mailbox
from skep.plugins.record import Record

__all__ = ["Lifeline"]

_FIRST_PAUSE = 1.0  # seconds, until something that failed is tried again
_LONGEST_PAUSE = 60.0


class Lifeline:
    """Of one plugin. One task enters and leaves it, so that task groups and time limits in it may stay open in between."""

    def __init__(self, record: Record, mailbox: Mailbox | None, *, runs: bool) -> None:
        self._record = record
        self._mailbox = mailbox
        self._runs = runs
        self._enters = record.needs_start = _needs_start(record.plugin)
        self._living: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Enter the plugin; what a failure means is said by its `startup_error`. Raises PluginError, SettingsError."""
        try:
            await self._enter()
        except Exception as error:
            told = _told(self._record.name, error)
            self._record.fail(str(told))
            match self._record.table.startup_error:
                case "error":
                    raise told from error
                case "retry":
                    self._record.log.error("%s; trying again", told)
                    self._add(self._enter_later(), "start")
                case _:
                    self._record.log.error("%s; going on without it", told)
                    self._give_up()
        else:
            self._begin()

    def _add(self, work: object, what: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=f"plugin {self._record.name}: {what}"))  # type: ignore[arg-type]

    def _give_up(self) -> None:
        if self._mailbox is not None:
            self._mailbox.close()

    def _begin(self) -> None:
        self._record.start()
        if self._mailbox is not None:
            self._mailbox.start()

    def run(self) -> None:
        """Begin its `run`. Called when all plugins have been entered."""
        if self._runs and self._record.is_running:
            self._add(self._run(), "run")

    async def _enter(self) -> None:
        if not self._enters:
            return
        entered = asyncio.Event()
        name = self._record.name
        self._leave.clear()
        self._living = living = asyncio.create_task(self._live(entered), name=f"plugin {name}: start and stop")
        waiting = asyncio.create_task(entered.wait(), name=f"plugin {name}: started")
        timeout = self._record.table.timeout
        try:
            await asyncio.wait([living, waiting], timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await end(living, min(timeout, GRACE))
            raise
        finally:
            waiting.cancel()
        if entered.is_set():
            living.add_done_callback(self._ended)
        elif living.done():
            living.result()
        else:
            raise CutOffError(timeout, left_behind=not await end(living, min(timeout, GRACE)))

    async def _live(self, entered: asyncio.Event) -> None:
        await invoke(self._record.plugin.__aenter__)
        entered.set()
        kind, error = None, None
        try:
            await self._leave.wait()
        except BaseException as thrown:
            kind, error = type(thrown), thrown
            raise
        finally:
            await invoke(self._record.plugin.__aexit__, kind, error, None)

    def _ended(self, living: asyncio.Task[None]) -> None:
        """Note when a plugin's own task group ended its life before we did."""
        error = None if living.cancelled() else living.exception()
        if not self._leave.is_set():
            why = f"stopped by itself: {type(error).__name__}: {error}" if error else "was cancelled, but not by skep"
            self._record.fail(why)
            self._record.log.error(why, exc_info=error)
            self._give_up()

    async def _enter_later(self) -> None:
        pause = _FIRST_PAUSE
        while not self._record.is_running:
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                await self._enter()
            except Exception as error:
                told = str(_told(self._record.name, error))
                if told != self._record.why:
                    self._record.log.error("%s; trying again", told)
                self._record.fail(told)
            else:
                self._record.log.info("started after all")
                self._begin()
                self.run()

    async def _run(self) -> None:
        """Run its `run`, again when it raises; it ends quietly when it returns."""
        record, pause = self._record, _FIRST_PAUSE
        counters = record.counters("run")
        while True:
            counters.calls += 1
            started = time.monotonic()
            try:
                await invoke(record.plugin.run)
            except (Exception, StoppedError) as error:
                record.failed("run", error)
            else:
                return
            finally:
                counters.seconds += time.monotonic() - started
            if time.monotonic() - started > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)

    def check(self) -> None:
        """Look after the worker."""
        if self._mailbox is not None:
            self._mailbox.check()

    async def stop(self) -> None:
        """End its tasks and leave it. Raises nothing, and takes no longer than its timeout for each."""
        record = self._record
        for task in self._tasks:
            if not await end(task, record.table.timeout):
                record.log.error("%s did not end when the agent stopped; it is left behind", task.get_name())
        if self._mailbox is not None:
            await self._mailbox.stop()
        if self._living is not None and not self._living.done():
            await self._exit(self._living)

    async def _exit(self, living: asyncio.Task[None]) -> None:
        record = self._record
        self._leave.set()
        await asyncio.wait([living], timeout=record.table.timeout)
        if not living.done():
            ended = await end(living, min(record.table.timeout, GRACE))
            record.log.error(
                "its stop took longer than %g s%s", record.table.timeout, "" if ended else "; it is left behind"
            )
        elif not living.cancelled() and (error := living.exception()):
            record.log.error("its stop failed: %s: %s", type(error).__name__, error, exc_info=error)

    def abort(self) -> None:
        """Cancel what is left, without waiting."""
        self._leave.set()
        for task in [*self._tasks, *([self._living] if self._living is not None else [])]:
            with suppress(Exception):
                task.cancel()


def _needs_start(plugin: object) -> bool:
    """Whether entering it does anything."""
    if isinstance(plugin, Plugin):
        kind = type(plugin)
        return kind.__aenter__ is not Plugin.__aenter__ or kind.__aexit__ is not Plugin.__aexit__
    return hasattr(type(plugin), "__aenter__")


def _told(name: str, error: Exception) -> PluginError | SettingsError:
    """The error of a start, under the plugin's name."""
    if isinstance(error, SettingsError):
        return SettingsError(f"plugin {name}: {str(error).removeprefix(f'plugin {name}: ')}")
    text = str(error) if isinstance(error, (CutOffError, StoppedError)) else f"{type(error).__name__}: {error}"
    return PluginError(f"plugin {name}: cannot start: {text}")
