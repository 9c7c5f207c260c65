"""Things to put behind nginx that speak something else than plain HTTP/1.0: FastCGI, uwsgi, gRPC, websockets; and a raw client."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc.aio
from aiohttp import web

from tests.plugins.nginx import nginx_grpc  # noqa: F401 - for what it begins with

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def exchange(
    port: int, host: str, path: str = "/", headers: str = "", method: str = "GET", before: str = ""
) -> str:
    """One request, and the whole answer."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.closing(writer):
            writer.write(
                f"{before}{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n".encode()
            )
            answer = await reader.read()
    return answer.decode("latin-1")


@contextlib.asynccontextmanager
async def _listening(serve: Serve) -> AsyncIterator[int]:
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def uwsgi_server(headers: bytes = b"") -> AsyncIterator[int]:
    """Answers with the variables that it is told, and with these headers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, size, _ = struct.unpack("<BHB", await reader.readexactly(4))
        body = _show(_uwsgi_variables(await reader.readexactly(size)))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + headers + b"\r\n" + body)

    async with _listening(serve) as port:
        yield port


def _uwsgi_variables(packet: bytes) -> dict[str, str]:
    words, position = [], 0
    while position < len(packet):
        (size,) = struct.unpack_from("<H", packet, position)
        words.append(packet[position + 2 : position + 2 + size].decode())
        position += 2 + size
    return dict(zip(words[::2], words[1::2], strict=True))


@contextlib.asynccontextmanager
async def fastcgi_server(headers: bytes = b"") -> AsyncIterator[int]:
    """Answers with the parameters that it is told, and with these headers."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        params = b""
        while True:
            _, kind, request, size, padding = struct.unpack(">BBHHBx", await reader.readexactly(8))
            content = await reader.readexactly(size)
            await reader.readexactly(padding)
            params += content if kind == 4 else b""
            if kind == 5 and not size:
                break
        answer = b"Content-Type: text/plain\r\n" + headers + b"\r\n" + _show(_fastcgi_params(params))
        writer.write(struct.pack(">BBHHBx", 1, 6, request, len(answer), 0) + answer)
        writer.write(struct.pack(">BBHHBx", 1, 3, request, 8, 0) + bytes(8))

    async with _listening(serve) as port:
        yield port


def _fastcgi_params(packet: bytes) -> dict[str, str]:
    found, position = {}, 0
    while position < len(packet):
        sizes = []
        for _ in range(2):
            if packet[position] < 128:
                sizes.append(packet[position])
                position += 1
            else:
                sizes.append(struct.unpack_from(">I", packet, position)[0] & 0x7FFFFFFF)
                position += 4
        name = packet[position : position + sizes[0]].decode()
        found[name] = packet[position + sizes[0] : position + sum(sizes)].decode()
        position += sum(sizes)
    return found


def _show(variables: dict[str, str]) -> bytes:
    return "".join(f"{name}={value}\n" for name, value in variables.items()).encode()


@contextlib.asynccontextmanager
async def websocket_server() -> AsyncIterator[int]:
    """Says each message back."""

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"{request.headers['X-Forwarded-For']} says {message.data}")
        return socket

    app = web.Application()
    app.router.add_get("/chat", echo)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def grpc_server() -> AsyncIterator[int]:
    """Service `test.Echo`: says each message back, after the host that it was asked for."""

    async def say(message: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await context.send_initial_metadata((("x-accel-redirect", "/secret"),))
        metadata = dict(context.invocation_metadata() or ())
        return str(metadata.get("x-real-ip", "nobody")).encode() + b" says " + message

    server = grpc.aio.server()
    handler = grpc.method_handlers_generic_handler("test.Echo", {"Say": grpc.unary_unary_rpc_method_handler(say)})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)
