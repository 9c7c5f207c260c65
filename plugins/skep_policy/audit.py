"""The log of changing calls: a line of JSON each, in a file that is kept within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import deque
from pathlib import Path

from skep import RequestError

__all__ = ["AuditLog"]

_MOST_WAITING = 10_000


class AuditLog:
    """Appends lines. One that cannot be written is kept (the last 10,000 are), told once in the log, and written when that goes again.

    most: bytes at which the file becomes `FILE.1`. sync: wait until lines are on the disk.
    """

    def __init__(self, path: Path, *, most: int, sync: bool, log: logging.Logger) -> None:
        self.path, self.most, self.sync, self._log = path, most, sync, log
        self.error = ""
        """Why the last line could not be written; "" if it could."""
        self.lost = 0
        """Lines that are gone, as too many waited."""
        self._waiting: deque[bytes] = deque()
        self._lock = asyncio.Lock()

    async def write(self, line: bytes) -> None:
        """Append a line, which has no newline. Raises nothing."""
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(line)
        await self._flush()

    async def require(self) -> None:
        """Write what waits. Raises RequestError (503) while that cannot be done."""
        if self.error:
            await self._flush()
        if self.error:
            raise RequestError(f"the audit log cannot be written, so nothing may be changed: {self.error}", status=503)

    async def _flush(self) -> None:
        async with self._lock:  # whoever comes first writes for all
            if not self._waiting:
                return
            lines = list(self._waiting)
            try:
                await asyncio.to_thread(self._append, b"".join(line + b"\n" for line in lines))
            except OSError as error:
                if not self.error:
                    self._log.error("the audit log %s cannot be written: %s", self.path, error.strerror)
                self.error = error.strerror or str(error)
                return
            for _ in lines:
                self._waiting.popleft()
            if self.error:
                self._log.warning("the audit log %s is written again; %d lines are lost", self.path, self.lost)
                self.error = ""

    def _append(self, data: bytes) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(file).st_size
            if size and size + len(data) > self.most:
                os.close(file)
                self.path.replace(f"{self.path}.1")
                file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                size = 0
            try:
                written = os.write(file, data)
                if written < len(data):
                    raise OSError(28, "No space left on device")
            except OSError:
                with contextlib.suppress(OSError):  # it is no file that could be
                    os.ftruncate(file, size)  # no half line
                raise
            if self.sync:
                os.fsync(file)
        finally:
            os.close(file)
