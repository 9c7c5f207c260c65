"""`Keeper`: keeps env files true: asks when it is time, writes where something is otherwise, tells who wants to know."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from skep import NotFoundError, PluginEvent, SkepError, TemporaryError, Values, replace_file
from skep_envfile import disk, formats
from skep_envfile.change import Change
from skep_envfile.rounds import Round, combine
from skep_envfile.state import State, default_state
from skep_envfile.tracked import Tracked
from skep_envfile.values import Gathered

if TYPE_CHECKING:
    from skep import Agent
    from skep_envfile.actions import Actions
    from skep_envfile.settings import EnvFileSettings, FileSettings

__all__ = ["Keeper", "content"]

_TOGETHER = 0.2  # of a file's interval: what is due so soon is asked with what is due now
_AT_A_TIME = 50  # files that are begun with in one turn of the loop
_LONGEST_START = 30.0  # seconds over which agents spread their first questions for files that are there


def content(name: str, settings: FileSettings, gathered: Gathered) -> tuple[Gathered, bytes]:
    """What a file holds, as its format can, and its bytes. Raises RequestError naming the variable that cannot be written."""
    fitted = formats.fit(gathered, settings.format, settings.on_multiline)
    title = f"{name}: written by skep, which writes it anew whenever something changes"
    return fitted, formats.write(fitted.values, settings.format, title)


class Keeper:
    """The env files of one plugin. `name` is the plugin's."""

    def __init__(self, agent: Agent, log: logging.Logger, name: str, settings: EnvFileSettings) -> None:
        self.files: Mapping[str, Tracked] = {each: Tracked(each, file) for each, file in settings.files.items()}
        self.actions: Actions | None = None
        self.state = State(Path(settings.state) if settings.state else default_state(), log)
        self._agent = agent
        self._log = log
        self._name = name
        self._asking = asyncio.Semaphore(settings.concurrency)
        self._writing = asyncio.Semaphore(settings.concurrency)
        self._changed = asyncio.Event()

    # -- when

    async def run(self) -> None:
        """Keep them true until cancelled."""
        await self._begin()
        async with asyncio.TaskGroup() as group:
            while True:
                now = time.monotonic()
                due = [each for each in self._idle() if each.due <= now + each.settings.interval * _TOGETHER]
                if any(each.due <= now for each in due):
                    await self._start(group, due)
                await self._pause()

    async def _pause(self) -> None:
        """Sleep until a file is due. A refresh that ends may have set another time."""
        self._changed.clear()
        due = min((each.due for each in self._idle()), default=None)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if due is None else max(0.05, due - time.monotonic())):
                await self._changed.wait()

    def _idle(self) -> Iterable[Tracked]:
        return (each for each in self.files.values() if not each.lock.locked())

    async def _start(self, group: asyncio.TaskGroup, due: list[Tracked]) -> None:
        """Refresh these in a task of its own, so that one that is slow does not keep others waiting."""
        factor = random.uniform(0.9, 1)  # noqa: S311 - one for all: what is asked together stays so
        for each in due:
            each.due = time.monotonic() + each.settings.interval * factor
        group.create_task(self._refresh(due, forced=False), name=f"plugin {self._name}: refresh")
        await asyncio.sleep(0)

    async def _begin(self) -> None:
        """Find out what is there. Files that are missing come first; others when their age says so."""
        await self.state.load()
        spread = random.random()  # noqa: S311
        for each in self.files.values():
            async with each.lock:  # somebody may have it refreshed already
                if not each.succeeded:
                    await self._find(each, spread)
        self.state.keep_only({each.settings.path for each in self.files.values()})

    async def _find(self, each: Tracked, spread: float) -> None:
        await asyncio.to_thread(disk.sweep, each.path)
        try:
            found = await asyncio.to_thread(disk.look, each.path)
        except SkepError:
            return  # said at its refresh, which is due at once
        if found is not None:
            now = time.time()
            each.exists = True
            each.checked = min(now, self.state.checked(each.settings.path, found.mtime_ns))
            pause = max(0.0, each.checked + each.settings.interval - now)
            each.due = time.monotonic() + pause + spread * min(_LONGEST_START, each.settings.interval / 10)

    # -- what

    def values(self, name: str) -> Gathered | None:
        """The variables that a file has; None where they are not known yet, and then it is refreshed at once."""
        each = self.files[name]
        if each.gathered is None and not each.error:
            each.due = 0.0
            self._changed.set()
        return each.gathered

    async def refresh(self, names: Iterable[str] = ()) -> list[Tracked]:
        """Ask anew now, whatever is kept of answers; all files, or those with these names. Raises NotFoundError."""
        for name in (names := list(names)):
            if name not in self.files:
                raise NotFoundError(f"there is no file {name}; there are {', '.join(sorted(self.files)) or 'none'}")
        wanted = [self.files[name] for name in names] or list(self.files.values())
        await self._refresh(wanted, forced=True)
        return wanted

    async def _refresh(self, wanted: list[Tracked], *, forced: bool) -> None:
        shortest = min((each.settings.interval for each in wanted), default=0.0)

        async def ask(name: str, properties: Mapping[str, object]) -> Values:
            known = self._agent.lookups.known.get(name)
            age = 0.0 if forced or known is None else min(known.max_age, shortest / 2)
            return await self._agent.lookup(name, properties, max_age=age)

        async with Round(ask, self._asking) as questions, asyncio.TaskGroup() as group:
            for number, each in enumerate(wanted, 1):
                group.create_task(self._keep(each, questions), name=f"plugin {self._name}: {each.name}")
                if number % _AT_A_TIME == 0:
                    await asyncio.sleep(0)  # others have their turn, too
        self._changed.set()
        await self.state.save()

    async def _keep(self, each: Tracked, questions: Round) -> None:
        """Refresh one file; whatever fails is noted, and tried again later."""
        async with each.lock:
            before = each.error
            try:
                answers = await questions.answers(each.settings)
                async with self._writing:  # many files may wait for one answer: not all at once
                    fitted = await self._put(each, combine(each.settings, answers))
            except SkepError as error:
                delay = error.delay if isinstance(error, TemporaryError) else None
                await self._failed(each, str(error), delay)
            except Exception as error:  # a mistake of ours with one file shall not end the others
                self._log.exception("file %s failed", each.name)
                await self._failed(each, f"{type(error).__name__}; the log says more", None)
            else:
                each.succeed(fitted, time.time())
                if before:
                    self._log.info("file %s is good again", each.name)

    async def _failed(self, each: Tracked, error: str, delay: float | None) -> None:
        new = error != each.error
        each.fail(error, time.time(), delay)
        if new:
            kept = "; the file is kept as it is" if each.exists else ""
            self._log.warning("file %s: %s%s", each.name, error, kept)

    async def _put(self, each: Tracked, gathered: Gathered) -> Gathered:
        """Have the file hold this. Raises SkepError."""
        settings, path = each.settings, each.path
        fitted, data = content(each.name, settings, gathered)
        owner = await asyncio.to_thread(disk.owner_ids, settings.owner)
        found = await asyncio.to_thread(disk.look, path)
        each.exists = found is not None
        if found is not None and found.data == data and found.is_kept(settings.mode_bits, owner):
            self.state.note(settings.path, time.time(), found.mtime_ns)
            return fitted
        change = _change(each, found.data if found is not None else b"", data)
        differs = found is None or found.data != data
        if differs and self.actions is not None:
            await self.actions.expect(change, data)
        try:
            await asyncio.to_thread(disk.check_folders, path)
            await replace_file(path, data, mode=settings.mode_bits, owner=owner)
            written = (await asyncio.to_thread(path.lstat)).st_mtime_ns
        except OSError as error:
            raise disk.told(path, "written", error) from None
        each.exists, each.written = True, time.time()
        self.state.note(settings.path, each.written, written)
        if differs:
            each.gathered = fitted
            await self._tell(change)
        else:
            self._log.info("file %s has its owner and permissions again", each.name)
        return fitted

    async def _tell(self, change: Change) -> None:
        counts = ", ".join(
            f"{len(names)} {what}" for what in ("added", "changed", "removed") if (names := getattr(change, what))
        )
        self._log.info("file %s: %s written: %s", change.file, change.path, counts or "no variable is otherwise")
        data = {each: getattr(change, each) for each in ("file", "path", "added", "changed", "removed")}
        self._agent.tell(PluginEvent(self._name, "changed", time.time(), data))
        if self.actions is not None:
            await self.actions.changed(change)


def _change(each: Tracked, old: bytes, new: bytes) -> Change:
    before, after = formats.chunks(old, each.settings.format), formats.chunks(new, each.settings.format)
    return Change(
        each.name,
        each.settings.path,
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(name for name in after.keys() & before.keys() if after[name] != before[name])),
        removed=tuple(sorted(before.keys() - after.keys())),
    )
