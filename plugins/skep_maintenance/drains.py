"""Which nodes are drained, kept in a file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from skep import RequestError, SettingsError, read_small_file, replace_file

__all__ = ["Drain", "Drains"]

_LONGEST_NAME = 255
_LONGEST_TEXT = 500
_MOST = 10_000
_MOST_BYTES = 64 * 2**20


class Drain(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A node that takes no new containers. `by` is who said so, as the client tells it; `since` and `until` are seconds since the epoch."""

    node: str
    reason: str = ""
    by: str = ""
    since: float = 0.0
    until: float = 0.0
    """When it ends by itself; 0 is never."""

    def __post_init__(self) -> None:
        if not self.node.strip() or len(self.node) > _LONGEST_NAME or not self.node.isprintable():
            raise ValueError(f"node {self.node[:60]!r}: expected a node's name, of at most {_LONGEST_NAME} characters")
        for field in ("reason", "by"):
            if len(getattr(self, field)) > _LONGEST_TEXT:
                raise ValueError(f"{field}: expected at most {_LONGEST_TEXT} characters")

    def __str__(self) -> str:
        who = f" by {self.by}" if self.by else ""
        end = f", until {_time(self.until)}" if self.until else ""
        return f"drained{who} since {_time(self.since)}{end}{': ' if self.reason else ''}{self.reason}"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    drained: list[Drain]
    version: int = 1


def _time(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


class Drains:
    """The drained nodes by name, in `current`; every change is in the file before it counts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = asyncio.Lock()
        self.current: Mapping[str, Drain] = {}
        self.changed = asyncio.Event()
        """Set by every change."""

    async def load(self) -> None:
        """Read the file; where there is none, no node is drained. Raises SettingsError for one that cannot be read."""
        data = await asyncio.to_thread(self._read)
        if data is None:
            return
        try:
            found = msgspec.json.decode(data, type=_File)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self._unreadable(str(error)) from None
        if found.version != 1:
            raise self._unreadable(f"version {found.version} is not known to this release")
        self.current = {drain.node: drain for drain in found.drained}

    def _read(self) -> bytes | None:
        try:
            return read_small_file(self._file, _MOST_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from None

    def _unreadable(self, why: str) -> SettingsError:
        return SettingsError(
            f"{self._file}: which nodes are drained cannot be read: {why}; mend it, or delete it: no node is drained then"
        )

    async def put(self, drain: Drain) -> Drain:
        """Drain a node; for one that is drained already, it goes on since then. Raises RequestError when it cannot be kept."""
        async with self._lock:
            before = self.current.get(drain.node)
            if before is None and len(self.current) >= _MOST:
                raise RequestError(f"{_MOST} nodes are drained: activate some first")
            made = drain if before is None else msgspec.structs.replace(drain, since=before.since)
            await self._keep({**self.current, drain.node: made})
        return made

    async def remove(self, node: str) -> Drain | None:
        """Activate a node; returns what ended, None where it was not drained. Raises RequestError when it cannot be kept."""
        async with self._lock:
            ended = self.current.get(node)
            if ended is not None:
                await self._keep({name: drain for name, drain in self.current.items() if name != node})
        return ended

    async def _keep(self, drains: Mapping[str, Drain]) -> None:
        data = msgspec.json.format(msgspec.json.encode(_File(list(drains.values()))), indent=2)
        try:
            await asyncio.to_thread(self._file.parent.mkdir, 0o755, parents=True, exist_ok=True)
            await replace_file(self._file, data + b"\n", mode=0o600)
        except OSError as error:
            raise RequestError(f"nothing is changed: {self._file}: {error.strerror or error}", status=500) from None
        self.current = drains
        self.changed.set()
