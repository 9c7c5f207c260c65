"""The raw conversation of `attach` and `exec` over a hijacked connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from aiohttp import web

from .hijack import Connection, hijack
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


async def take_over(call: Call, *, tty: bool) -> Connection:
    """Hijack the call's connection: 101 when the client asked to upgrade, else a bare 200."""
    kind = RAW_STREAM if tty or call.version < (1, 42) else MULTIPLEXED
    if call.request.headers.get("Upgrade", "").lower() == "tcp":
        head = f"HTTP/1.1 101 UPGRADED\r\nContent-Type: {kind}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
    else:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n"
    return await hijack(call.request, head.encode())


async def converse(
    connection: Connection,
    output: AsyncIterator[Chunk],
    *,
    tty: bool,
    wanted: Callable[[Chunk], bool],
    feed: Input | None,
) -> web.StreamResponse:
    """Send the output, framed unless on a terminal, until it ends; give the client's bytes to `feed`."""
    reading = asyncio.create_task(_read(connection.reader, feed), name="embedded engine: stdin")
    try:
        async for chunk in output:
            if wanted(chunk):
                connection.writer.write(chunk.data if tty else frame(chunk))
                await connection.writer.drain()
    except ConnectionError:
        pass
    finally:
        reading.cancel()
        response = await connection.close()
    return response


async def _read(reader: asyncio.StreamReader, feed: Input | None) -> None:
    """Read on even when nobody wants it, so that the client's end is noticed."""
    try:
        while data := await reader.read(65536):
            if feed is not None:
                feed.feed(data)
    except ConnectionError:
        pass
    if feed is not None:
        feed.eof()
