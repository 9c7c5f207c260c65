"""`Actions`: one worker for each file, that does what the settings say whenever the file has changed."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from skep import SkepError, read_small_file
from skep_envfile.actions.journal import Journal, Pending
from skep_envfile.actions.work import Job, SupersededError, carry_out

if TYPE_CHECKING:
    from skep import Agent
    from skep_envfile.change import Change
    from skep_envfile.settings import FileSettings
    from skep_envfile.values import Gathered

__all__ = ["ActionStatus", "Actions"]

_LARGEST = 64 * 2**20  # bytes of an env file
_FIRST_PAUSE = 2.0  # seconds before what failed is tried again; doubled each time
_LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True)
class ActionStatus:
    """How it stands with a file's actions. Times are seconds since the epoch, 0.0 for never.

    pending: something is yet to be done. failures: how often it failed since the file changed, at last with `error`; it is tried again at
    `next_at`. done_at: when all was done, since the agent was started.
    """

    pending: bool = False
    failures: int = 0
    error: str = ""
    next_at: float = 0.0
    done_at: float = 0.0


class Actions:
    """Those of all files of one plugin.

    state: the plugin's state file; what is to be done is kept beside it. values: the variables that a file has, as it has them; None where
    that is not known yet. is_open: whether containers may ask for a file's values by their labels.

    Before a file is written, `expect`; when it is written, `changed`. So an agent that is killed between the two does it all the same.
    """

    def __init__(
        self,
        agent: Agent,
        log: logging.Logger,
        files: Mapping[str, FileSettings],
        *,
        state: Path,
        values: Callable[[str], Gathered | None],
        is_open: Callable[[str], bool] = lambda file: False,
    ) -> None:
        self._log = log
        self._journal = Journal(state.with_name(f"{state.stem}-actions.json"))
        self._loading = asyncio.Lock()
        self._loaded = False
        self._workers = {
            name: _Worker(Job(agent, log, name, file, values, is_open(name)), self._journal)
            for name, file in files.items()
            if file.on_change
        }

    async def expect(self, change: Change, data: bytes) -> None:
        """Note durably that the file is about to be written. Raises nothing but what ends the agent."""
        worker = self._workers.get(change.file)
        if worker is None:
            return
        await self._load()
        before = self._journal.get(change.file) or Pending()
        names = {*before.names, *change.added, *change.changed, *change.removed}
        pending = Pending(
            digest=before.digest,
            expected=hashlib.sha256(data).hexdigest(),
            names=tuple(sorted(names)),
            done=before.done,
        )
        await worker.keep(pending)

    async def changed(self, change: Change) -> None:
        """Have done what the file's `on_change` says; returns before it is. After `expect`, when the file is there."""
        worker, pending = self._workers.get(change.file), self._journal.get(change.file)
        if worker is not None and pending is not None and pending.expected:
            await worker.keep(Pending(digest=pending.expected, names=pending.names))
            worker.wake()

    async def run(self) -> None:
        """Do what is to be done, first what an earlier run of the agent has left, for as long as nobody cancels it."""
        await self._load()
        async with asyncio.TaskGroup() as group:
            for name, worker in self._workers.items():
                group.create_task(worker.run(), name=f"plugin envfile: actions of {name}")

    def status(self, file: str) -> ActionStatus:
        """How it stands with a file's actions."""
        worker = self._workers.get(file)
        return ActionStatus() if worker is None else worker.status

    async def _load(self) -> None:
        async with self._loading:  # nothing may be noted meanwhile: it would be taken for what an earlier run has left
            if self._loaded:
                return
            try:
                await self._journal.load()
            except (OSError, ValueError) as error:
                self._log.warning("what actions were yet to be done is not known: %s", error)
            for name, pending in dict(self._journal.files).items():
                await self._resume(name, pending, self._workers.get(name))
            self._loaded = True

    async def _resume(self, name: str, pending: Pending, worker: _Worker | None) -> None:
        """Go on where an earlier run was stopped, if the file is still the one that it was for."""
        digest = await _digest(worker.job.path) if worker is not None else ""
        left: Pending | None = None
        if digest and digest == pending.expected:
            left = Pending(digest=digest, names=pending.names)
        elif digest and digest == pending.digest:
            left = Pending(digest=digest, names=pending.names, done=pending.done)
        try:
            await self._journal.put(name, left)
        except OSError as error:
            self._log.warning("what actions are yet to be done cannot be kept: %s", error)
        if left is not None and worker is not None:
            self._log.info("file %s: its actions were not all done when the agent ended", name)
            worker.wake()


async def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(await asyncio.to_thread(read_small_file, path, _LARGEST)).hexdigest()
    except OSError:
        return ""


class _Worker:
    """Does the actions of one file, and never two at once."""

    def __init__(self, job: Job, journal: Journal) -> None:
        self.job = job
        self._journal = journal
        self._wake = asyncio.Event()
        self._failures = 0
        self._error = ""
        self._next_at = self._done_at = 0.0

    @property
    def status(self) -> ActionStatus:
        """How it stands."""
        pending = self._journal.get(self.job.file)
        waits = pending is not None and bool(pending.digest)
        return ActionStatus(waits, self._failures, self._error, self._next_at, self._done_at)

    def wake(self) -> None:
        """There is something to do: at once, whatever failed before."""
        self._failures = 0
        self._wake.set()

    async def keep(self, pending: Pending | None) -> None:
        """Note what is to be done. Where that cannot be kept, it is said, and known for as long as the agent runs."""
        try:
            await self._journal.put(self.job.file, pending)
        except OSError as error:
            self.job.log.warning("what actions are yet to be done cannot be kept: %s", error)

    async def run(self) -> None:
        """Work for as long as nobody cancels it."""
        while True:
            self._wake.clear()
            pending = self._journal.get(self.job.file)
            if pending is None or not pending.digest:
                await self._wake.wait()
                continue
            try:
                await carry_out(self.job, pending, self._done)
            except SupersededError:
                continue
            except SkepError as error:
                await self._failed(str(error))
            except Exception as error:  # a mistake of ours with one file shall not end the others
                self.job.log.exception("the actions of file %s failed", self.job.file)
                await self._failed(f"{type(error).__name__}; the log says more")
            else:
                await self._finished(pending)

    async def _done(self, pending: Pending, what: str) -> None:
        """Note that a part is done. Raises SupersededError where the file has changed meanwhile."""
        now = self._journal.get(self.job.file)
        if now is None or now.digest != pending.digest:
            raise SupersededError
        done = tuple(dict.fromkeys((*now.done, what)))
        await self.keep(Pending(digest=now.digest, expected=now.expected, names=now.names, done=done))

    async def _finished(self, pending: Pending) -> None:
        now = self._journal.get(self.job.file)
        if now is None or now.digest != pending.digest:
            return
        await self.keep(Pending(expected=now.expected, names=now.names) if now.expected else None)
        self._failures, self._error, self._next_at, self._done_at = 0, "", 0.0, time.time()

    async def _failed(self, error: str) -> None:
        self._failures += 1
        self._error = error
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failures - 1, 20)) * random.uniform(0.5, 1)  # noqa: S311
        self._next_at = time.time() + pause
        self.job.log.warning("file %s: %s; trying again in %.0f s", self.job.file, error, pause)
        try:
            async with asyncio.timeout(pause):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._next_at = 0.0
