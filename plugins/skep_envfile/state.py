"""When each file was last known to be true, over restarts: one small file for all, without values."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path

import msgspec

from skep import read_small_file, replace_file

__all__ = ["State", "default_state"]

_LARGEST = 16 * 2**20  # bytes
_VERSION = 1


def default_state() -> Path:
    """Where it is unless the settings say so."""
    if os.geteuid() == 0:
        folder = Path("/var/lib")
    else:
        folder = Path(os.environ.get("XDG_STATE_HOME") or Path(os.environ.get("HOME", "/"), ".local/state"))
    return folder / "skep" / "envfile.json"


class _Version(msgspec.Struct):
    version: int


class _Kept(_Version):
    files: dict[str, tuple[float, int]]


class State:
    """By path: when the file was last known to hold what its sources say, in seconds since the epoch, and the time that the file had then.

    A file of another time was written by somebody else, and nothing is known of it. What cannot be read or written is logged, and the
    agent goes on: it asks once more than it need have.
    """

    def __init__(self, file: Path, log: logging.Logger) -> None:
        self.file = file
        self.failures = 0
        """How often it could not be written."""
        self._log = log
        self._known: dict[str, tuple[float, int]] = {}
        self._lock = asyncio.Lock()
        self._asked = 0
        self._saved = 0

    async def load(self) -> None:
        """Read it."""
        try:
            self._known = {**await asyncio.to_thread(_read, self.file), **self._known}
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            self._log.warning("%s cannot be read, so the age of files is not known: %s", self.file, error)

    def checked(self, path: str, mtime_ns: int) -> float:
        """When the file at `path`, if it has this time, was last known to be true; 0 for never."""
        at, time = self._known.get(path, (0.0, 0))
        return at if time == mtime_ns else 0.0

    def note(self, path: str, checked: float, mtime_ns: int) -> None:
        """The file of this time is true. Call `save` afterwards."""
        self._known[path] = (round(checked, 3), mtime_ns)

    def keep_only(self, paths: set[str]) -> None:
        """Forget all others."""
        self._known = {path: each for path, each in self._known.items() if path in paths}

    async def save(self) -> None:
        """Write it. Of several at one time, one writes for those that wait."""
        self._asked += 1
        mine = self._asked
        async with self._lock:
            if self._saved >= mine:
                return
            covered = self._asked
            data = json.dumps({"version": _VERSION, "files": self._known}, separators=(",", ":")).encode()
            try:
                await asyncio.to_thread(self.file.parent.mkdir, 0o755, parents=True, exist_ok=True)
                await replace_file(self.file, data, mode=0o600)
            except OSError as error:
                if not self.failures:
                    self._log.error("%s cannot be written: %s", self.file, error.strerror or error)
                self.failures += 1
            else:
                self._saved = covered


def _read(file: Path) -> dict[str, tuple[float, int]]:
    data = read_small_file(file, _LARGEST)
    try:
        version = msgspec.json.decode(data, type=_Version).version
        if version != _VERSION:
            raise ValueError(f"expected version {_VERSION}, not {version}")
        return msgspec.json.decode(data, type=_Kept).files
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
