"""Takes a connection over from aiohttp's server: raw bytes both ways, with half-close, as `attach` needs it.

The request's transport is handed to a protocol of ours. What the client sent early, behind its request, is
not lost: aiohttp keeps it for whoever sets a parser, so a parser is set that only collects. The server's
own protocol is told of the connection's end, so that it forgets the connection as it forgets any other.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web


class _Early:
    """Stands in for a parser, to be given what came behind the request's head and body."""

    def __init__(self) -> None:
        self.data = bytearray()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.data += data
        return False, b""

    def feed_eof(self) -> None:
        """Nothing follows."""


class _Protocol(asyncio.StreamReaderProtocol):
    """Stream reader and flow control; passes the connection's end on to the server's protocol."""

    def __init__(self, reader: asyncio.StreamReader, server: asyncio.BaseProtocol) -> None:
        super().__init__(reader, loop=asyncio.get_running_loop())
        self._server = server

    def eof_received(self) -> bool:
        """The client's half-close: keep the other half open, over TLS too, where asyncio would close."""
        super().eof_received()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server.connection_lost(exc)


@dataclass(slots=True)
class Connection:
    """A hijacked connection. The client's half-close is the reader's end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> web.StreamResponse:
        """Send what is buffered, close, and return the response by which aiohttp knows that all is said."""
        self.writer.close()
        return _Said()


class _Said(web.StreamResponse):
    """A response that was sent by other means."""

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing to send."""

    async def write_eof(self, data: bytes = b"") -> None:
        """Nothing to send."""


async def hijack(request: web.BaseRequest, head: bytes) -> Connection:
    """Take the connection of a request whose body has been read, and send `head` on it.

    Raises ConnectionResetError when the client is gone.
    """
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client is gone")
    early = _Early()
    request.protocol.set_parser(early)  # type: ignore[arg-type]  # any object with its two methods serves
    reader = asyncio.StreamReader(limit=1 << 16)
    protocol = _Protocol(reader, request.protocol)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    if early.data:
        reader.feed_data(bytes(early.data))
    writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
    if head:
        writer.write(head)
    return Connection(reader, writer)
