"""Taking a client's connection over from HTTP, and joining it with another one.

Source: the Engine API reference, "Attach to a container" (hijacking).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.http import WebSocketReader

__all__ = ["Duplex", "TakenOver", "pump", "take_over"]

CHUNK = 2**18
"""Bytes that are read at once, and read ahead of the other side at most twice over."""

_CLOSING = 1.0  # seconds that a side has to take its last bytes


class Duplex(Protocol):
    """A connection in both directions: what `take_over` and `Engine.hijack` return."""

    @property
    def reader(self) -> asyncio.StreamReader:
        """Bytes from the other side."""
        ...

    @property
    def writer(self) -> asyncio.StreamWriter:
        """Bytes to the other side."""
        ...


class TakenOver(web.StreamResponse):
    """A client's connection without HTTP.

    The handler that took it over returns it as its response; it is closed then, or by `close`.
    """

    def __init__(self, status: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__(status=status)
        self.force_close()
        self.reader = reader
        self.writer = writer

    async def prepare(self, request: web.BaseRequest) -> None:
        """Do nothing: the head was sent."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Do nothing: the bytes are not framed."""

    async def close(self) -> None:
        """Send what is left for at most a second, then close the connection."""
        await _close(self.writer)


class _Early:
    """Catches the bytes that aiohttp has kept from behind the request; shaped as its websocket parser."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.reader = reader

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.reader.feed_data(data)
        return False, b""

    def feed_eof(self) -> None:
        pass


class _Handover(asyncio.StreamReaderProtocol):
    """Feeds the reader, and tells aiohttp of the connection's end once the handler is through with it.

    Earlier would cancel the handler, and with it bytes on their way to the other side.
    """

    def __init__(self, reader: asyncio.StreamReader, request: web.BaseRequest) -> None:
        super().__init__(reader)
        self._former = request.protocol
        self._handler = request.task

    def eof_received(self) -> bool:
        super().eof_received()
        return True  # over TLS too, where asyncio's own would close

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._handler.add_done_callback(lambda _: self._former.connection_lost(exc))


def take_over(
    request: web.BaseRequest,
    *,
    status: int = 101,
    reason: str = "UPGRADED",
    headers: Mapping[str, str] | None = None,
) -> TakenOver:
    """Answer `request` with this head and hand its connection over; the handler must return the result.

    headers: None for those of an engine that was asked for an upgrade to tcp.
    The request's body must have been read. Raises ConnectionResetError if the client has gone.

    Docker's clients wait for the head before they send; what others send earlier is not passed on (aiohttp's
    parser drops it).
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client has gone")
    if not request.content.is_eof():
        raise RuntimeError("read the request's body before taking its connection over")
    reader = asyncio.StreamReader(limit=CHUNK)
    protocol = _Handover(reader, request)
    request.protocol.keep_alive(val=False)
    request.protocol.set_parser(cast("WebSocketReader", _Early(reader)))
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    if request.protocol.writing_paused:
        protocol.pause_writing()
    if not transport.is_reading():
        transport.resume_reading()
    writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
    fields = {"Content-Type": "application/vnd.docker.raw-stream", "Connection": "Upgrade", "Upgrade": "tcp"}
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{k}: {v}" for k, v in (headers or fields).items()), "", ""]
    writer.write("\r\n".join(lines).encode("utf-8", "surrogateescape"))
    return TakenOver(status, reader, writer)


async def pump(client: Duplex, engine: Duplex, *, linger: float | None = 1.0) -> None:
    """Copy both ways between two connections until both directions end, then close both.

    A side that stops sending has its end passed on, and still receives. A side that vanishes ends all at
    once. A side that does not read holds the other one back. When the engine has ended, the client has
    `linger` seconds to end too (None: any time): engines never close half of a connection, while a client may
    still wait for its terminal.
    """
    try:
        async with asyncio.TaskGroup() as group:
            upward = group.create_task(_copy(client.reader, engine.writer), name="pump to engine")
            downward = group.create_task(_copy(engine.reader, client.writer), name="pump to client")
            await downward
            await asyncio.wait([upward], timeout=linger)
            upward.cancel()
    except* OSError:
        pass  # one side vanished
    finally:
        await asyncio.gather(_close(client.writer), _close(engine.writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    closed = asyncio.create_task(writer.wait_closed(), name="close hijacked connection")
    try:
        await asyncio.wait([closed], timeout=_CLOSING)
    finally:
        # Only while it stands: asyncio cannot abort a transport that has closed by itself.
        if not closed.done():
            writer.transport.abort()
            closed.cancel()
        elif not closed.cancelled():
            closed.exception()  # it had vanished
