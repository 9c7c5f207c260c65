"""The raw conversation of `attach` and `exec` over a hijacked connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from skep.http.hijack import TakenOver, take_over

from .output import Chunk, frame
from .routing import Call

RAW_STREAM = "application/vnd.docker.raw-stream"
MULTIPLEXED = "application/vnd.docker.multiplexed-stream"


class Input(Protocol):
    """Who is given the client's bytes."""

    def feed(self, data: bytes) -> None:
        """Bytes from the client."""

    def eof(self) -> None:
        """The client will send no more."""


def connect(call: Call, *, tty: bool) -> TakenOver:
    """Take over the call's connection: 101 when the client asked to upgrade, else a bare 200."""
    kind = RAW_STREAM if tty or call.version < (1, 42) else MULTIPLEXED
    headers = {"Content-Type": kind}
    if call.request.headers.get("Upgrade", "").lower() == "tcp":
        headers |= {"Connection": "Upgrade", "Upgrade": "tcp"}
        return take_over(call.request, headers=headers)
    return take_over(call.request, status=200, reason="OK", headers=headers)


async def converse(
    connection: TakenOver,
    output: AsyncIterator[Chunk],
    *,
    tty: bool,
    wanted: Callable[[Chunk], bool],
    feed: Input | None,
) -> TakenOver:
    """Send the output, framed unless on a terminal, until it ends; give the client's bytes to `feed`."""
    try:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(_read(connection.reader, feed), name="embedded engine: stdin")
            async for chunk in output:
                if wanted(chunk):
                    connection.writer.write(chunk.data if tty else frame(chunk))
                    await connection.writer.drain()
            reading.cancel()
    except* ConnectionError:
        pass  # the client vanished
    return connection


async def _read(reader: asyncio.StreamReader, feed: Input | None) -> None:
    """Read on even when nobody wants it, so that the client's end is noticed."""
    while data := await reader.read(65536):
        if feed is not None:
            feed.feed(data)
    if feed is not None:
        feed.eof()
