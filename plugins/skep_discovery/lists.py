"""The backends without a service: `nodes://` and `file://`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from skep import SettingsError, TemporaryError, read_small_file
from skep_discovery.entries import parse_entries
from skep_discovery.watching import poll

__all__ = ["FileBackend", "NodesBackend"]

_MOST_BYTES = 2**20


class NodesBackend:
    """`nodes://10.0.0.[1:3]:2375,db1:2375`: the list itself, which never changes."""

    async def watch(self, rest: str, options: Mapping[str, str], heartbeat: float) -> AsyncIterator[Sequence[str]]:
        """Yield the list, once. Raises SettingsError for a bad entry."""
        try:
            entries = parse_entries(rest.split(","))
        except ValueError as error:
            raise SettingsError(f"discovery nodes://: {error}. Is another scheme missing, such as token://?") from None
        if not entries:
            raise SettingsError("discovery nodes://: no address; right would be nodes://10.0.0.1:2375,10.0.0.2:2375")
        yield entries

    async def register(self, rest: str, options: Mapping[str, str], address: str, ttl: float) -> None:
        """Always raises SettingsError."""
        raise SettingsError("nodes:// is a fixed list, nothing can join it; use token://")


class FileBackend:
    """`file:///etc/skep/nodes`: one pattern a line, `#` begins a comment; read again every heartbeat."""

    def watch(self, rest: str, options: Mapping[str, str], heartbeat: float) -> AsyncIterator[Sequence[str]]:
        """Yield the file's entries now and whenever they change. A bad line leaves the last good list."""
        path = _path(rest)

        async def ask() -> list[str]:
            return await asyncio.to_thread(read_entries, path)

        return poll(ask, heartbeat)

    async def register(self, rest: str, options: Mapping[str, str], address: str, ttl: float) -> None:
        """Always raises SettingsError."""
        raise SettingsError(f"file:// is read only; add a line {address} to {_path(rest)} instead, or use token://")


def _path(rest: str) -> Path:
    path = Path(rest)
    if not path.is_absolute():
        raise SettingsError(
            f"discovery file://{rest}: the path must be absolute, so three slashes: file:///etc/skep/nodes"
        )
    return path


def read_entries(path: Path) -> list[str]:
    """Read a file of entries. Blocking. Raises TemporaryError naming file and line."""
    entries: dict[str, None] = {}
    for number, line in enumerate(_read(path).split("\n"), 1):
        try:
            entries.update(dict.fromkeys(parse_entries([line.partition("#")[0]])))
        except ValueError as error:
            raise TemporaryError(f"{path}:{number}: {error}") from None
    return list(entries)


def _read(path: Path) -> str:
    """The file's text, which did not change while it was read."""
    for _ in range(3):
        try:
            before = path.stat()
            data = read_small_file(path, _MOST_BYTES)
            after = path.stat()
            text = data.decode("utf-8")
        except OSError as error:
            raise TemporaryError(f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise TemporaryError(f"{path}:{line}: it is not UTF-8 text") from None
        if (before.st_mtime_ns, before.st_size, before.st_ino) == (after.st_mtime_ns, after.st_size, after.st_ino):
            return text
    raise TemporaryError(f"{path} changes while it is read; write another file and rename it over this one")
