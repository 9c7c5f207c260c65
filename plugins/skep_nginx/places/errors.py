"""What a nginx of ours complains of: to the log, and to whoever asks why it does not take a configuration."""

from __future__ import annotations

import asyncio
import logging
import os
import time

from skep_nginx.places.base import said

__all__ = ["Errors"]

_LINES_A_SECOND = 20


class Errors:
    """Of one nginx after the other."""

    def __init__(self, log: logging.Logger) -> None:
        self.complaint = ""
        """Its last `[emerg]` since `forget`; "" for none."""
        self._log = log
        self._heeded = 0  # of which start, and later ones, complaints count
        self._spoken = 0, 0.0

    def forget(self, start: int = 0) -> None:
        """Nothing counts that was said so far; nor what those say that were started before `start`."""
        self.complaint = ""
        self._heeded = max(self._heeded, start)

    async def listen(self, pipe: int, start: int) -> None:
        """Log what it complains of, until it has ended: its workers hold the pipe too, so that this ends after it."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", 0)
        )
        try:
            while True:
                try:
                    line = await reader.readline()
                except ValueError:  # longer than any line of nginx
                    continue
                if not line:
                    return
                if b"[emerg]" in line and start >= self._heeded:
                    self.complaint = said(line)
                self._report(line)
        finally:
            transport.close()

    def _report(self, line: bytes) -> None:
        count, since = self._spoken
        now = time.monotonic()
        if now - since >= 1:
            if count > _LINES_A_SECOND:
                self._log.warning("nginx: and %d more lines", count - _LINES_A_SECOND)
            count, since = 0, now
        self._spoken = count + 1, since
        if count < _LINES_A_SECOND:
            self._log.warning("nginx: %s", ascii(line.decode("utf-8", "replace").strip())[1:-1][:500])
