"""nginx as the agent's own process: started, watched, started again, stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from skep import Cluster, TemporaryError
from skep_nginx.certificates.shelf import Shelf
from skep_nginx.places.base import (
    ask_generation,
    make_folder,
    read_file,
    run_command,
    sync_file,
    until_answering,
    write_candidate,
    write_file,
)
from skep_nginx.places.master import Master
from skep_nginx.places.own import OwnContainer, view_from
from skep_nginx.places.runner import Runner
from skep_nginx.places.sweep import sweep
from skep_nginx.places.user import Account, find_program
from skep_nginx.reach import View
from skep_nginx.render import Rendered
from skep_nginx.settings import NginxSettings

__all__ = ["ProcessPlace"]

_STDOUT = 1
_READY = 5.0  # seconds that it may take to start


class ProcessPlace:
    """Below `directory`: `nginx.conf` (live, and found again at the next start), `candidate.conf`, and `run/`, nginx's own."""

    is_here = True

    def __init__(self, settings: NginxSettings, log: logging.Logger, cluster: Callable[[], Cluster]) -> None:
        self._settings = settings
        self._cluster = cluster
        self._own = OwnContainer()
        self._stdout = _STDOUT if settings.access_log == "/dev/stdout" else None
        self._log = log
        self._conf = settings.home / "nginx.conf"
        self._candidate = settings.home / "candidate.conf"
        self._shelf = Shelf(settings.home / "tls")
        self._account: Account | None = None
        self._runner = Runner(settings, log, self._conf, self._starting, self._stdout)
        self._old: frozenset[int] = frozenset()  # workers of before the last reload
        self._tested: Rendered | None = None  # what the candidate's file has
        self._installed = asyncio.Event()

    @property
    def starts(self) -> int:
        """How often it was started."""
        return self._runner.starts

    # -- the process

    async def run(self) -> None:
        """Run nginx as soon as there is a configuration, and again when it ends."""
        if await self.installed() is not None:
            self._runner.wanted.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._runner.run(), name="nginx process")
            group.create_task(self._keep_installed(), name="nginx sync")

    async def _prepare(self) -> Account:
        """Find the user, and make the folders."""
        if self._account is None:
            account = await asyncio.to_thread(Account.choose, self._settings)
            await make_folder(self._settings.home)
            try:
                await asyncio.to_thread(account.own, self._settings.run)
                await asyncio.to_thread(sweep, self._settings, odd=True)
                if self._stdout is not None and account.words:
                    with suppress(OSError):  # nginx opens it by its name, and says itself when it may not
                        os.fchown(self._stdout, account.uid, account.gid)
            except OSError as error:
                raise TemporaryError(f"cannot make {error.filename}: {error.strerror}") from None
            self._account = account
        return self._account

    async def _starting(self) -> list[str]:
        return await self._command(await self._prepare(), str(self._conf))

    async def _command(self, account: Account, conf: str, *words: str) -> list[str]:
        program = await asyncio.to_thread(find_program, self._settings.nginx)
        return [
            *account.words,
            program,
            *words,
            "-e",
            "stderr",
            "-p",
            str(self._settings.home),
            "-c",
            conf,
        ]

    # -- its configuration

    @property
    def identity(self) -> str:
        """Each start is another one: it may not have come up with what it had."""
        return str(self.starts)

    async def locate(self) -> View:
        """This host, or the container that the agent itself runs in."""
        await self._prepare()
        own = await asyncio.to_thread(self._own.find, self._cluster)
        if own is not None:
            return view_from(own, self._settings.host_address)
        return View(direct=self._settings.direct, host_address=self._settings.host_address)

    async def describe(self) -> str:
        """The program's own words."""
        account = await self._prepare()
        program = await asyncio.to_thread(find_program, self._settings.nginx)
        return (await run_command([*account.words, program, "-V"])).decode("utf-8", "replace")

    async def lay(self, files: Mapping[str, bytes]) -> str:
        """In a folder of the user that nginx runs as."""
        account = await self._prepare()
        await self._shelf.lay(files, (account.uid, account.gid))
        return str(self._shelf.folder)

    async def installed(self) -> bytes | None:
        """What the next start would begin with; what cannot be read is replaced, so that it is as if it were not there."""
        try:
            return await read_file(self._conf)
        except TemporaryError as error:
            self._log.error("%s", error)
            return None

    async def test(self, rendered: Rendered) -> None:
        """`nginx -t`, as the user that nginx runs as."""
        account = await self._prepare()
        self._tested = None
        await write_candidate(self._candidate, rendered.text)
        self._tested = rendered
        await run_command(await self._command(account, str(self._candidate), "-t", "-q"), self._stdout)

    async def install(self, rendered: Rendered) -> None:
        """Rename the very file that was tested over the live one."""
        if self._tested is None or self._tested.text != rendered.text:
            await write_file(self._conf, rendered.text)
            return
        self._tested = None
        try:
            await asyncio.to_thread(self._candidate.replace, self._conf)
        except OSError as error:
            raise TemporaryError(f"cannot write {self._conf}: {error.strerror}") from None
        self._installed.set()

    async def _keep_installed(self) -> None:
        """Have what is installed on the disk soon: nginx need not wait for that, and whoever starts without it renders it again."""
        while True:
            await self._installed.wait()
            self._installed.clear()
            try:
                await asyncio.to_thread(sync_file, self._conf)
            except OSError as error:
                self._log.warning("cannot sync %s: %s", self._conf, error.strerror)

    async def reload(self) -> None:
        """SIGHUP, or start it."""
        self._runner.errors.forget()
        master = self._runner.master
        if master is None or not await self._is_ready(master):
            self._runner.errors.forget(self.starts + 1)  # whatever the one that has ended said of what it had
            self._runner.wanted.set()
            return
        self._old = await asyncio.to_thread(master.workers)
        master.hang_up()

    async def _is_ready(self, master: Master) -> bool:
        """Wait until it heeds signals: before, SIGHUP ends it, or is kept for later. False: it has ended meanwhile."""
        deadline = time.monotonic() + _READY
        while not master.is_ready:
            if self._runner.master is not master:
                return False
            if time.monotonic() > deadline:
                raise TemporaryError(f"nginx does not answer {_READY:g} s after its start")
            if await asyncio.to_thread(master.owns, self._settings.pid_file):
                master.is_ready = await until_answering(lambda: ask_generation(self._settings.status_socket), 0.0)
            await asyncio.sleep(0 if master.is_ready else 0.01)
        return True

    async def generation(self) -> str:
        """By its unix socket. As soon as there are new workers, those of before the reload need not answer any more."""
        master, old = self._runner.master, self._old
        if old and master is not None and await asyncio.to_thread(master.dismiss, old):
            self._old = frozenset()
        answer = await ask_generation(self._settings.status_socket)
        if master is not None:
            master.listened = True
        return answer

    def complaint(self) -> str:
        """Its last `[emerg]`."""
        return self._runner.errors.complaint
