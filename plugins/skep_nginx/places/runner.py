"""The life of nginx as the agent's own process: started, watched, started again, ended."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from skep import TemporaryError
from skep_nginx.places.errors import Errors
from skep_nginx.places.master import Master
from skep_nginx.places.sweep import sweep
from skep_nginx.settings import NginxSettings

__all__ = ["Runner"]

_STOP = 3.0  # seconds that its requests get when the agent ends
_LISTENS = 1.0  # seconds between two looks at whether it listens
_BEGINS = 30.0  # seconds after which it must


class Runner:
    """`conf` is its configuration, `command` gives the words of a start, `stdout` a descriptor for its output, None for nothing."""

    def __init__(
        self,
        settings: NginxSettings,
        log: logging.Logger,
        conf: Path,
        command: Callable[[], Awaitable[Sequence[str]]],
        stdout: int | None,
    ) -> None:
        self.master: Master | None = None
        """The one that runs."""
        self.errors = Errors(log)
        self.wanted = asyncio.Event()
        """Set when there is a configuration to start with; a start need not wait any more then."""
        self.starts = 0
        self._settings = settings
        self._log = log
        self._conf = conf
        self._command = command
        self._stdout = stdout

    async def run(self) -> None:
        """Take over the one that runs already, else start it as soon as it is wanted; and again when it ends."""
        async with asyncio.TaskGroup() as group:
            await self._keep(group)

    async def _keep(self, group: asyncio.TaskGroup) -> None:
        self.master = await asyncio.to_thread(Master.adopt, self._settings.pid_file, self._conf)
        if self.master:
            self._log.info("nginx runs already, as process %d: taken over", self.master.pid)
            self.wanted.clear()
        delay = 0.1
        try:
            while True:
                if self.master is None:
                    await self.wanted.wait()
                    self.wanted.clear()
                    await self._start(group)
                    delay = min(delay * 2, self._settings.retry)
                if self.master is None:
                    await self._pause(delay)
                    continue
                began = time.monotonic()
                how = await self._ended(self.master)
                self.master.dismiss_workers()
                self.master.close()
                self.master = None
                delay = 0.1 if time.monotonic() - began > 10 else delay
                self._log.error(
                    "nginx %s, starting it again in %.1f s: %s", how, delay, self.errors.complaint or "no reason told"
                )
                await self._pause(delay)
        finally:
            if self.master is not None:
                await self.master.stop(_STOP)
                self.master = None

    async def _ended(self, master: Master) -> str:
        """How it ended. One that is told to end when its requests have listens no more meanwhile, maybe for an hour: that is its end."""
        ending = asyncio.create_task(master.wait(), name="nginx end")
        began = time.monotonic()
        try:
            while not (await asyncio.wait({ending}, timeout=_LISTENS))[0]:
                try:
                    there = await asyncio.to_thread(self._settings.status_socket.exists)
                except OSError:  # that says nothing of nginx
                    continue
                master.listened = master.listened or there or time.monotonic() - began > _BEGINS
                if master.listened and not there:
                    master.kill()
            return ending.result()
        finally:
            ending.cancel()

    async def _pause(self, seconds: float) -> None:
        """Wait before the next start, unless somebody asks for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wanted.wait()
        self.wanted.set()

    async def _start(self, group: asyncio.TaskGroup) -> None:
        ours, its = os.pipe()
        try:
            await asyncio.to_thread(sweep, self._settings)
            child = await asyncio.create_subprocess_exec(
                *await self._command(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL if self._stdout is None else self._stdout,
                stderr=its,
                start_new_session=True,
            )
        except (OSError, TemporaryError) as error:
            os.close(ours)
            self.errors.complaint = f"cannot start nginx: {error}"
            self._log.error("%s", self.errors.complaint)
            return
        finally:
            os.close(its)
        self.starts += 1
        self.master = Master(child.pid, child)
        group.create_task(self.errors.listen(ours, self.starts), name="nginx errors")
