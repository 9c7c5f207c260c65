"""Servers that tell of their connections, and tunnels."""

import asyncio
import contextlib
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.plugins.nginx.nginx_certificates import Authority


class Counting:
    """An HTTP server that keeps connections, and answers with its name and the connection's number; by TLS if `context` is there."""

    def __init__(self, name: str = "counting", context: ssl.SSLContext | None = None) -> None:
        self.name = name
        self.port = 0
        self.connections = 0
        self._context = context

    async def __aenter__(self) -> "Counting":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                body = f"{self.name} {number}\n".encode() + request
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
                if b"Connection: close" in request:
                    break
        writer.close()


def server_context(authority: Authority, name: str = "container.invalid") -> ssl.SSLContext:
    """A container's own certificate."""
    with tempfile.TemporaryDirectory() as folder:
        path = authority.write(Path(folder), "own", name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, path.with_suffix(".key"))
    return context


@contextlib.asynccontextmanager
async def tunnels() -> AsyncIterator[tuple[int, asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]]:
    """Switches to websockets whoever asks; the port, and the ends of the tunnels, for a test to speak by."""
    ends: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
        await writer.drain()
        ends.put_nowait((reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], ends
    finally:
        server.close()
        while not ends.empty():
            ends.get_nowait()[1].close()


async def open_tunnel(
    port: int, host: str, context: ssl.SSLContext | None = None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client's end of a tunnel through nginx."""
    named = {"ssl": context, "server_hostname": host} if context else {}
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **named)  # type: ignore[arg-type]
    writer.write(f"GET /chat HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert head.startswith(b"HTTP/1.1 101 "), head
    return reader, writer
