"""The journal: which requests were answered, and how; read again at the next start.

An answer is in it before it is sent, so that whatever is delivered again, or was under way when the agent was killed, is sent the same answer
and never worked on twice. One line a record: a checksum, a blank, JSON.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import logging
import os
import stat
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from skep import SettingsError, replace_file

__all__ = ["Entry", "Journal"]

State = Literal["answered", "accepted", "refused"]
_STATES = "answered", "accepted", "refused"
_HEADER = {"journal": "skep custom resource", "version": 1}
_KEEP = 14 * 86400.0  # seconds; SQS keeps no message for longer
_MOST_BYTES = 64 * 2**20
_COMPACT = 2**20  # bytes, from which on it is written anew when most of it no longer counts


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a request. `body` is the answer, until it was accepted or refused; `at` is in seconds since the epoch."""

    state: State
    at: float
    body: str = ""


class Journal:
    """Of one agent; nobody else may have the file open. Call `open` first, `close` last."""

    def __init__(self, file: Path, log: logging.Logger) -> None:
        self.file = file
        self._log = log
        self._entries: dict[str, Entry] = {}
        self._lock = asyncio.Lock()
        self._descriptor = -1
        self._size = 0
        self._writing: set[asyncio.Task[None]] = set()
        self.failures = 0
        """How often it could not be written."""

    def get(self, key: str) -> Entry | None:
        """What is known of a request."""
        return self._entries.get(key)

    async def open(self) -> None:
        """Read it; a record that is damaged is named and passed over. Raises SettingsError where it cannot be used at all."""
        try:
            await asyncio.to_thread(self.file.parent.mkdir, 0o755, parents=True, exist_ok=True)
            self._descriptor = await asyncio.to_thread(self._opened)
            data = await asyncio.to_thread(self._read)
        except OSError as error:
            raise SettingsError(f"journal {self.file}: {error.strerror or error}") from None
        lines = data.split(b"\n")
        damaged = bool(lines[-1])
        for number, line in enumerate(lines, 1):
            if line:
                damaged |= not self._take(line, number, torn=number == len(lines))
        if damaged or not data:
            await self._compact()

    def _opened(self) -> int:
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise SettingsError(f"journal {self.file}: it is no regular file; move it away")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise SettingsError(f"journal {self.file}: another agent uses it; give each its own") from None
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _read(self) -> bytes:
        self._size = os.fstat(self._descriptor).st_size
        if self._size > _MOST_BYTES:
            raise SettingsError(f"journal {self.file}: it has more than {_MOST_BYTES} bytes; move it away")
        return os.pread(self._descriptor, self._size, 0)

    def _take(self, line: bytes, number: int, *, torn: bool) -> bool:
        """Read a record; False where it is damaged."""
        found = None if torn else _parsed(line)
        if found is None:
            what = "its last record was not written to its end" if torn else "a damaged record"
            self._log.warning("journal %s:%d: %s is passed over", self.file, number, what)
            return False
        if number == 1 and "version" in found:
            if found["version"] != 1:
                raise SettingsError(
                    f"journal {self.file}:1: version {found['version']} is not known to this release; move it away"
                )
            return True
        key, state, at, body = (found.get(each) for each in ("key", "state", "at", "body"))
        if not (isinstance(key, str) and state in _STATES and isinstance(at, int | float) and isinstance(body, str)):
            self._log.warning("journal %s:%d: a record that means nothing is passed over", self.file, number)
            return False
        self._entries[key] = Entry(state, float(at), body)
        return True

    async def answered(self, key: str, body: str) -> None:
        """Note the answer that will be sent. Where that cannot be kept, it is remembered only until the agent ends, and logged."""
        await self._note(key, Entry("answered", time.time(), body))

    async def finished(self, key: str, *, accepted: bool) -> None:
        """Note what became of it."""
        await self._note(key, Entry("accepted" if accepted else "refused", time.time()))

    async def _note(self, key: str, entry: Entry) -> None:
        self._entries[key] = entry
        # In a task of its own, which is not cancelled: a record that is half written is worse than one that comes late.
        task = asyncio.create_task(self._write(key, entry), name=f"journal {self.file.name}")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        await asyncio.shield(task)

    async def _write(self, key: str, entry: Entry) -> None:
        async with self._lock:
            try:
                await asyncio.to_thread(self._append, _line(_record(key, entry)))
            except OSError as error:
                self.failures += 1
                self._log.error("journal %s: %s; it is kept in memory only", self.file, error.strerror or error)
            if self._size > max(_COMPACT, 400 * len(self._entries)):
                await self._compact()

    def _append(self, line: bytes) -> None:
        try:
            written = os.write(self._descriptor, line)
            if written < len(line):
                raise OSError(28, "No space left on device")
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)

    async def _compact(self) -> None:
        """Write it anew with what still counts."""
        oldest = time.time() - _KEEP
        self._entries = {key: entry for key, entry in self._entries.items() if entry.at > oldest}
        try:
            await replace_file(self.file, b"".join(self._lines()), mode=0o600)
            descriptor, self._descriptor = self._descriptor, await asyncio.to_thread(self._opened)
            await asyncio.to_thread(os.close, descriptor)
            self._size = await asyncio.to_thread(lambda: os.fstat(self._descriptor).st_size)
        except OSError as error:
            self.failures += 1
            self._log.error("journal %s: cannot be written anew: %s", self.file, error.strerror or error)

    def _lines(self) -> Iterator[bytes]:
        yield _line(_HEADER)
        for key, entry in self._entries.items():
            yield _line(_record(key, entry if entry.state == "answered" else replace(entry, body="")))

    async def close(self) -> None:
        """Let go of the file, when all is written."""
        if self._writing:
            await asyncio.wait(self._writing)
        async with self._lock:
            if self._descriptor >= 0:
                descriptor, self._descriptor = self._descriptor, -1
                await asyncio.to_thread(os.close, descriptor)


def _record(key: str, entry: Entry) -> dict[str, Any]:
    return {"key": key, "state": entry.state, "at": round(entry.at, 3), "body": entry.body}


def _line(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _parsed(line: bytes) -> dict[str, Any] | None:
    checksum, _, text = line.partition(b" ")
    try:
        found = json.loads(text) if int(checksum, 16) == zlib.crc32(text) else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
