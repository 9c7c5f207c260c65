"""An nginx that somebody else runs on this host: one file of it is ours."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from skep import TemporaryError
from skep_nginx.certificates.shelf import Shelf
from skep_nginx.directives import Block, Line, write
from skep_nginx.model import Listen
from skep_nginx.places.base import ask_generation, check_folder, make_folder, read_file, run_command, write_file
from skep_nginx.reach import View
from skep_nginx.render import Rendered, temporary_paths
from skep_nginx.settings import NginxSettings

__all__ = ["ExternalPlace", "wrap"]


class ExternalPlace:
    """Below `directory`: `candidate.conf`, and `test.conf`, a whole configuration around it."""

    identity = ""
    is_here = True

    def __init__(self, settings: NginxSettings) -> None:
        self._settings = settings
        self._own = settings.external
        self._conf = Path(settings.external.conf)
        self._shelf = Shelf(settings.home / "tls")

    async def run(self) -> None:
        """Its owner does that."""
        await asyncio.Event().wait()

    async def locate(self) -> View:
        """This host."""
        await make_folder(self._settings.home)
        try:
            await asyncio.to_thread(check_folder, self._conf.parent)
        except OSError as error:
            raise TemporaryError(f"cannot look at {error.filename}: {error.strerror}") from None
        return View(direct=self._settings.direct, host_address=self._settings.host_address)

    async def describe(self) -> str:
        """The command `test` begins with the program."""
        return (await run_command([self._own.test[0], "-V"])).decode("utf-8", "replace")

    async def lay(self, files: Mapping[str, bytes]) -> str:
        """For the agent's own user: nginx's master process is root, or the same."""
        await self._shelf.lay(files)
        return str(self._shelf.folder)

    async def installed(self) -> bytes | None:
        """Our file."""
        return await read_file(self._conf)

    async def test(self, rendered: Rendered) -> None:
        """The command `test`, on a configuration that has nothing but ours."""
        candidate, whole = self._settings.home / "candidate.conf", self._settings.home / "test.conf"
        await write_file(candidate, rendered.text)
        await write_file(whole, wrap(str(candidate), str(self._settings.home)))
        await run_command([word.replace("{conf}", str(whole)) for word in self._own.test])

    async def install(self, rendered: Rendered) -> None:
        """Rename over our file."""
        await write_file(self._conf, rendered.text)

    async def reload(self) -> None:
        """The commands `check` and `reload`."""
        await run_command(self._own.check)
        await run_command(self._own.reload)

    async def generation(self) -> str:
        """At the first address that it listens on."""
        listen = Listen.parse(self._settings.listen[0])
        own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.ip, listen.ip)
        return await ask_generation(None, own, listen.port, proxied=self._settings.proxy_protocol)

    def complaint(self) -> str:
        """It tells its owner."""
        return ""


def wrap(candidate: str, folder: str) -> bytes:
    """A whole configuration around a candidate, to test it alone.

    A test gives nginx's temporary folders to its `user`, so it gets folders of its own: those of the live one stay as they are. No
    worker is started, so that user means nothing else; without it nginx wants the one that it was built for, who need not exist.
    """
    return write(
        (
            Line("user", ("root", "root")),
            Line("pid", (f"{folder}/test.pid",)),
            Line("error_log", ("stderr", "warn")),
            Block("events", (), (Line("worker_connections", ("64",)),)),
            Block("http", (), (*temporary_paths(f"{folder}/test-"), Line("include", (candidate,)))),
        )
    )
