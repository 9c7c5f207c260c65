import asyncio
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from skep.errors import SettingsError
from skep.http import HttpServer

Serve = Callable[..., Awaitable[HttpServer]]
Connect = Callable[[HttpServer], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


async def fetch(url: str) -> str:
    if url.startswith("unix://"):
        connector: aiohttp.BaseConnector = aiohttp.UnixConnector(url.removeprefix("unix://"))
        url = "http://unix/"
    else:
        connector = aiohttp.TCPConnector()
        url = url.replace("tcp://", "http://")
    async with aiohttp.ClientSession(connector=connector) as session, session.get(url) as response:
        return await response.text()


async def test_it_serves_tcp_and_unix_at_once(serve: Serve, tmp_path: Path) -> None:
    server = await serve(hello, "127.0.0.1:0", "tcp://[::1]:0", "tcp://localhost:0", f"unix://{tmp_path}/s.sock")
    assert server.urls[0].startswith("tcp://127.0.0.1:")
    assert server.urls[1].startswith("tcp://[::1]:")
    assert server.urls[-1] == f"unix://{tmp_path}/s.sock"
    assert not any(url.endswith(":0") for url in server.urls)
    for url in server.urls:
        assert await fetch(url) == "hello"


async def test_stopping_frees_the_addresses(serve: Serve, tmp_path: Path) -> None:
    server = await serve(hello, "127.0.0.1:0", f"unix://{tmp_path}/s.sock")
    urls = server.urls
    await server.stop()
    await server.stop()
    assert server.urls == []
    assert not (tmp_path / "s.sock").exists()
    assert (await serve(hello, *urls)).urls == urls


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
async def test_a_unix_socket_has_its_mode_whatever_the_umask(mode: int, serve: Serve, tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        await serve(hello, f"unix://{tmp_path}/s.sock", unix_mode=mode)
    finally:
        assert os.umask(umask) == 0
    assert stat.S_IMODE((tmp_path / "s.sock").stat().st_mode) == mode


async def test_a_stale_socket_is_replaced(serve: Serve, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s.sock"))
    server = await serve(hello, f"unix://{tmp_path}/s.sock")
    assert await fetch(server.urls[0]) == "hello"


async def test_a_live_socket_is_left_alone(serve: Serve, tmp_path: Path) -> None:
    first = await serve(hello, f"unix://{tmp_path}/s.sock")
    with pytest.raises(SettingsError, match=r"unix://.*s\.sock: a running process has it"):
        await serve(hello, f"unix://{tmp_path}/s.sock")
    assert await fetch(first.urls[0]) == "hello"


async def test_what_is_no_socket_is_never_removed(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    with pytest.raises(SettingsError, match="no socket is in the way"):
        await serve(hello, f"unix://{tmp_path}/precious")
    assert (tmp_path / "precious").read_text() == "data"
    with pytest.raises(SettingsError, match="folder does not exist"):
        await serve(hello, f"unix://{tmp_path}/none/s.sock")


async def test_anothers_socket_is_not_removed_at_the_end(serve: Serve, tmp_path: Path) -> None:
    server = await serve(hello, f"unix://{tmp_path}/s.sock")
    (tmp_path / "s.sock").unlink()
    other = await serve(hello, f"unix://{tmp_path}/s.sock")
    await server.stop()
    assert await fetch(other.urls[0]) == "hello"


async def test_a_taken_port_is_named_and_nothing_else_stays_bound(serve: Serve, tmp_path: Path) -> None:
    first = await serve(hello)
    port = first.urls[0].rpartition(":")[2]
    with pytest.raises(SettingsError, match=rf"127\.0\.0\.1:{port}: port {port} is taken; .* choose another"):
        await serve(hello, f"unix://{tmp_path}/s.sock", f"127.0.0.1:{port}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("listen", [":0", "0.0.0.0:0", "tcp://[::]:0"])
async def test_plain_tcp_for_other_machines_must_be_asked_for(listen: str, serve: Serve) -> None:
    with pytest.raises(SettingsError, match=r"without TLS: whoever reaches .* would be root"):
        await serve(hello, listen)
    server = await serve(hello, listen, allow_insecure=True)
    port = server.urls[0].rpartition(":")[2]
    assert await fetch(f"http://{'[::1]' if '::' in listen else '127.0.0.1'}:{port}/") == "hello"


@pytest.mark.parametrize(
    ("listen", "told"),
    [
        ("127.0.0.1", "port is missing"),
        ("ssh://x:1", "ssh:// is not supported"),
        ("192.0.2.1:0", "does not have that address"),
        ("no-such-host.invalid:0", r"no-such-host\.invalid"),
    ],
)
async def test_a_wrong_address_is_told(listen: str, told: str, serve: Serve) -> None:
    with pytest.raises(SettingsError, match=told):
        await serve(hello, listen, allow_insecure=True)


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:", REQUEST])
async def test_a_client_that_does_not_go_on_is_cut_off(sent: bytes, serve: Serve, connect: Connect) -> None:
    server = await serve(hello, idle_timeout=0.2)
    reader, writer = await connect(server)
    writer.write(sent)
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert answer.endswith(b"hello") == (sent == REQUEST)
    writer.close()


async def test_a_handler_ends_when_its_client_leaves(serve: Serve, connect: Connect) -> None:
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def handler(_: web.Request) -> web.Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    server = await serve(handler)
    _, writer = await connect(server)
    writer.write(REQUEST)
    await begun.wait()
    writer.transport.abort()
    async with asyncio.timeout(5):
        await cancelled.wait()


async def test_stopping_lets_requests_end_and_cuts_off_those_that_do_not(serve: Serve, connect: Connect) -> None:
    begun, release = asyncio.Semaphore(0), asyncio.Event()

    async def handler(request: web.Request) -> web.Response:
        begun.release()
        await (release if request.path == "/short" else asyncio.Event()).wait()
        return web.Response(text="done")

    server = await serve(handler, shutdown_timeout=0.5)
    short_reader, short = await connect(server)
    long_reader, long = await connect(server)
    short.write(REQUEST.replace(b"/ ", b"/short ", 1))
    long.write(REQUEST)
    await begun.acquire()
    await begun.acquire()
    stopping = asyncio.create_task(server.stop())
    await asyncio.sleep(0)
    release.set()
    async with asyncio.timeout(5):
        assert (await short_reader.read()).endswith(b"done")
        assert not (await long_reader.read()).endswith(b"done")
        await stopping
    short.close()
    long.close()


@pytest.mark.parametrize(
    "sent",
    [b"GET /\0 HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\n", REQUEST[:-2] + b"Host: y\r\n\r\n", b"POST / HTTP/7.1\r\n\r\n"],
)
async def test_what_is_not_http_is_one_line_of_the_log(
    sent: bytes, serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reader, writer = await connect(await serve(hello))
    writer.write(sent)
    assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
    writer.close()
    assert all(record.levelno <= logging.INFO and not record.exc_info for record in caplog.records)
    assert all("\n" not in record.getMessage() for record in caplog.records)


async def test_what_is_not_http_is_silent_where_infos_are(
    serve: Serve, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    reader, writer = await connect(await serve(hello))
    writer.write(b"GET /\0 HTTP/1.1\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.0 400 ")
    writer.close()
    assert caplog.records == []
