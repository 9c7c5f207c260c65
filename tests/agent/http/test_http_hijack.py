import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web

from skep.engine import TLS, Engine
from skep.errors import EngineUnreachableError
from skep.http import HttpServer, ServerTLS, pump, take_over

Serve = Callable[..., Awaitable[HttpServer]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Ends = tuple[Streams, Streams]
RESET = b"\x01\0\0\0\0\0\0\0"


class Backend:
    """The engine's end of hijacked connections: hands each to the test."""

    def __init__(self) -> None:
        self.connections: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"Content-Length: 2\r\n" in head:
            await reader.readexactly(2)
        writer.write(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\n")
        await self.connections.put((reader, writer))


@pytest.fixture
async def backend() -> AsyncIterator[Backend]:
    backend = Backend()
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    backend.address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield backend
    server.close()


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, certificates: Path) -> tuple[ServerTLS, TLS] | tuple[None, None]:
    if request.param == "plain":
        return None, None
    server, key, ca = (certificates / f"{name}.pem" for name in ("server", "server-key", "ca"))
    return ServerTLS(server, key), TLS(ca=ca)


@pytest.fixture
async def proxy(serve: Serve, backend: Backend, tls: tuple[ServerTLS, TLS]) -> AsyncIterator[HttpServer]:
    """Joins its clients' hijacked connections with the backend's, as the Docker API plugin does."""

    async def handler(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        upstream = await engine.hijack("POST", "/exec", body=body, version="")
        client = take_over(request)
        await pump(client, upstream)
        return client

    async with Engine(backend.address) as engine:
        yield await serve(handler, tls=tls[0], shutdown_timeout=2)


@pytest.fixture
async def ends(
    proxy: HttpServer, backend: Backend, tls: tuple[ServerTLS, TLS]
) -> AsyncIterator[tuple[Streams, Streams]]:
    """Client and engine of one joined connection, whose client speaks TLS or not."""
    async with Engine(proxy.urls[0], tls=tls[1]) as engine:
        client = await engine.hijack("POST", "/exec", body=b"{}", version="")
        server = await backend.connections.get()
        yield (client.reader, client.writer), server
        await client.close()
        server[1].transport.abort()


def reset(writer: asyncio.StreamWriter) -> None:
    """Vanish without a word but a TCP reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()


async def test_half_close_is_carried_both_ways(ends: Ends) -> None:
    (from_engine, to_engine), (from_client, to_client) = ends
    to_engine.write(b"stdin")
    to_engine.write_eof()
    assert await from_client.read() == b"stdin"
    to_client.write(b"stdout")
    await to_client.drain()
    assert await from_engine.read(6) == b"stdout"
    to_client.write(b" more")
    to_client.write_eof()
    assert await from_engine.read() == b" more"


async def test_the_engines_end_is_carried_while_the_client_still_sends(ends: Ends) -> None:
    (from_engine, to_engine), (from_client, to_client) = ends
    to_client.write(b"done")
    to_client.write_eof()
    assert await from_engine.read() == b"done"
    to_engine.write(b"late")
    to_engine.write_eof()
    assert await from_client.read() == b"late"


async def test_an_engine_that_ended_does_not_wait_for_the_client_for_ever(ends: Ends) -> None:
    (from_engine, _), (from_client, to_client) = ends
    to_client.write_eof()
    assert await from_engine.read() == b""
    async with asyncio.timeout(3):
        with contextlib.suppress(ConnectionError):
            assert await from_client.read() == b""


@pytest.mark.parametrize("vanishing", ["client", "engine"])
async def test_when_one_side_vanishes_the_other_is_closed_within_a_second(vanishing: str, ends: Ends) -> None:
    client, server = ends
    gone, left = (client, server) if vanishing == "client" else (server, client)
    reset(gone[1])
    async with asyncio.timeout(1):
        with contextlib.suppress(ConnectionError):
            assert await left[0].read() == b""


async def test_every_byte_arrives_both_ways_at_once(ends: Ends) -> None:
    (from_engine, to_engine), (from_client, to_client) = ends
    up, down = os.urandom(20_000_000), os.urandom(20_000_000)

    async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(data)
        writer.write_eof()
        await writer.drain()

    async with asyncio.TaskGroup() as group:
        group.create_task(send(to_engine, up))
        group.create_task(send(to_client, down))
        received_up = group.create_task(from_client.read())
        received_down = group.create_task(from_engine.read())
    assert received_up.result() == up
    assert received_down.result() == down


async def test_a_side_that_does_not_read_holds_the_other_back(ends: Ends) -> None:
    (_, to_engine), (from_client, _) = ends
    sent = 0

    async def send() -> None:
        nonlocal sent
        while sent < 500_000_000:
            to_engine.write(b"x" * 65536)
            sent += 65536
            await to_engine.drain()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(send(), 1)
    assert sent < 30_000_000
    to_engine.write_eof()
    received = 0
    while data := await from_client.read(65536):
        received += len(data)
    assert received == sent


async def test_stopping_the_server_ends_taken_over_connections(ends: Ends, proxy: HttpServer) -> None:
    (from_engine, _), (from_client, _) = ends
    before = {task.get_name() for task in asyncio.all_tasks()}
    assert "pump to client" in before
    async with asyncio.timeout(4):
        await proxy.stop()
        with contextlib.suppress(ConnectionError):
            assert await from_engine.read() == b""
            assert await from_client.read() == b""
    assert not any(task.get_name().startswith("pump") for task in asyncio.all_tasks())


async def test_nothing_is_left_after_many(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        client = take_over(request)
        client.writer.write(await client.reader.read())
        return client

    server = await serve(handler)
    async with Engine(server.urls[0]) as engine:
        for _ in range(50):
            async with await engine.hijack("POST", "/exec", version="") as taken:
                taken.writer.write(b"hello")
                taken.writer.write_eof()
                assert await taken.reader.read() == b"hello"
    async with asyncio.timeout(1):
        await server.stop()  # waits for connections that it knows of


async def test_a_handler_that_fails_afterwards_does_not_write_into_the_stream(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        client = take_over(request)
        client.writer.write(b"raw")
        await client.writer.drain()
        raise EngineUnreachableError("engine: the connection broke")

    server = await serve(handler)
    async with (
        Engine(server.urls[0]) as engine,
        await engine.hijack("POST", "/exec", version="") as taken,
    ):
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := await taken.reader.read(100):
                received += data
        assert b"HTTP" not in received


async def test_a_handler_goes_on_after_its_client_has_vanished(serve: Serve) -> None:
    """What the client sent before may still be on its way to the engine."""
    finished = asyncio.Event()
    begun = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        client = take_over(request)
        begun.set()
        with contextlib.suppress(ConnectionError):
            await client.reader.read()
        with contextlib.suppress(ConnectionError):
            await client.writer.wait_closed()
        finished.set()
        return client

    server = await serve(handler)
    async with Engine(server.urls[0]) as engine:
        taken = await engine.hijack("POST", "/exec", version="")
        await begun.wait()
        reset(taken.writer)
        async with asyncio.timeout(5):
            await finished.wait()


async def test_a_body_must_be_read_first(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return take_over(request)

    server = await serve(handler)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.urls[0].rpartition(":")[2]))
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
    assert b" 500 " in await reader.readline()
    writer.close()
