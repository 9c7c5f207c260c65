"""The files that nginx opens: named by their contents, so that none ever changes and a configuration means the same as long as it is there."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from skep import TemporaryError, replace_file

__all__ = ["Shelf", "file_name"]

_KEEP = 86400.0  # seconds that a file stays after nobody needs it: the last good configuration may be put back


def file_name(data: bytes) -> str:
    """What a file with these contents is called."""
    return hashlib.sha256(data).hexdigest()[:32] + ".pem"


class Shelf:
    """A folder of this host that nobody but nginx's user, and root, may enter. `owner` is that user and group."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder = folder
        self._clock = clock
        self._needed: dict[str, float] = {}

    async def lay(self, files: Mapping[str, bytes], owner: tuple[int, int] | None = None) -> None:
        """Have these files there, by name. Raises TemporaryError."""
        try:
            missing = await asyncio.to_thread(self._missing, files, owner)
            for name in missing:
                await replace_file(self.folder / name, files[name], mode=0o600)
                await asyncio.to_thread(self._own, self.folder / name, owner)
            await asyncio.to_thread(self._prune, files)
        except OSError as error:
            raise TemporaryError(f"cannot write {error.filename or self.folder}: {error.strerror}") from None

    def _missing(self, files: Iterable[str], owner: tuple[int, int] | None) -> list[str]:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._own(self.folder, owner)
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                self._own(self.folder / name, owner)
        return [name for name in files if not (self.folder / name).exists()]

    @staticmethod
    def _own(path: Path, owner: tuple[int, int] | None) -> None:
        if owner is not None and os.geteuid() == 0:
            found = path.stat()
            if (found.st_uid, found.st_gid) != owner:
                os.chown(path, *owner)

    def _prune(self, files: Iterable[str]) -> None:
        now = self._clock()
        there = [path.name for path in self.folder.iterdir()]
        self._needed = {name: self._needed.get(name, now) for name in there} | dict.fromkeys(files, now)
        for name in there:
            if now - self._needed[name] > _KEEP:
                (self.folder / name).unlink(missing_ok=True)
                del self._needed[name]
