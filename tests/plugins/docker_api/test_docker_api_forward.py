"""Passing a request through: what arrives at the engine, what comes back, and what happens when a side stops or goes."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from skep import Engine, HttpServer, error_middleware
from skep_docker_api.forward import forward, tunnel

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MEGABYTE = b"x" * 2**20


@asynccontextmanager
async def between(engine_side: Handler, **options: Any) -> AsyncIterator[aiohttp.ClientSession]:
    """A client, our endpoint that passes everything below /x on, and an engine of one handler."""

    async def ping(request: web.Request) -> web.Response:
        return web.Response(text="OK", headers={"Api-Version": "1.41"})

    async def pass_on(request: web.Request) -> web.StreamResponse:
        path = "/" + request.rel_url.raw_path.partition("/x/")[2]
        if "Upgrade" in request.headers:
            return await tunnel(request, engine, path)
        return await forward(request, engine, path, **options)

    far, near = web.Application(), web.Application(middlewares=[error_middleware])
    far.router.add_get("/_ping", ping)
    far.router.add_route("*", "/{path:.*}", engine_side)
    near.router.add_route("*", "/{path:.*}", pass_on)
    async with (
        HttpServer(far, ["127.0.0.1:0"], shutdown_timeout=0.2) as engine_server,
        HttpServer(near, ["127.0.0.1:0"], shutdown_timeout=0.2) as server,
        Engine(engine_server.urls[0]) as engine,
        aiohttp.ClientSession(server.urls[0].replace("tcp", "http"), auto_decompress=False) as session,
    ):
        yield session


async def read_all(request: web.Request) -> web.Response:
    return web.json_response(
        {
            "line": f"{request.method} {request.raw_path}",
            "headers": {key.lower(): value for key, value in request.headers.items()},
            "body": (await request.read()).decode(),
        }
    )


@pytest.mark.parametrize(
    ("asked", "arrived"),
    [
        ("/v1.30/x/a", "/v1.30/a"),
        ("/v1.41/x/a", "/v1.41/a"),
        ("/v1.50/x/a", "/v1.41/a"),
        ("/v2.0/x/a", "/v1.41/a"),
        ("/x/a", "/a"),
        ("/v1.41/x/a%2Fb%20c/%C3%A9", "/v1.41/a%2Fb%20c/%C3%A9"),
        ("/v1.41/x/a?b=%2F&b=c+d&e", "/v1.41/a?b=%2F&b=c+d&e"),
        ("/v1.41/x/a?filters=%7B%22a%22%3A%5B%22b%22%5D%7D", "/v1.41/a?filters=%7B%22a%22%3A%5B%22b%22%5D%7D"),
    ],
)
async def test_path_and_query_arrive_as_they_were_sent(asked: str, arrived: str) -> None:
    from yarl import URL

    async with between(read_all) as session, session.put(URL(asked, encoded=True)) as response:
        assert (await response.json())["line"] == f"PUT {arrived}"


async def test_headers_and_body_arrive_but_for_those_of_one_hop() -> None:
    sent = {
        "X-Registry-Auth": "e30=",
        "Content-Type": "application/x-tar",
        "Content-Encoding": "gzip",
        "Connection": "keep-alive, X-Hop",
        "X-Hop": "1",
        "TE": "trailers",
        "User-Agent": "Docker-Client/28",
    }
    async with between(read_all) as session, session.post("/v1.41/x/a", headers=sent, data=b"not gzip") as response:
        arrived = await response.json()
    assert arrived["body"] == "not gzip"
    headers = arrived["headers"]
    assert headers.items() >= {(key.lower(), sent[key]) for key in ("X-Registry-Auth", "Content-Type", "User-Agent")}
    assert headers["content-length"] == "8"
    assert not {"x-hop", "te", "expect"} & headers.keys()


@pytest.mark.parametrize("status", [200, 201, 204, 304, 400, 404, 409, 500, 503])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_any_answer_comes_back_as_it_is(status: int, method: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        body = b"" if status in (204, 304) else b'{"message": "so"}'
        return web.Response(status=status, body=body, headers={"X-Docker-Container-Path-Stat": "e30="})

    async with between(answer) as session, session.request(method, "/v1.41/x/a") as response:
        assert response.status == status
        assert response.headers["X-Docker-Container-Path-Stat"] == "e30="
        empty = method == "HEAD" or status in (204, 304)
        assert await response.read() == (b"" if empty else b'{"message": "so"}')


async def test_the_head_and_each_piece_come_at_once() -> None:
    go = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await go.wait()
        await response.write(b"one")
        go.clear()
        await go.wait()
        await response.write(b"two")
        return response

    async with between(answer) as session, asyncio.timeout(5), session.get("/v1.41/x/a") as response:
        go.set()
        assert await response.content.readany() == b"one"
        go.set()
        assert await response.content.readany() == b"two"


async def test_changes_are_known_before_the_client_is_told() -> None:
    steps: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        steps.append("engine")
        return web.Response(body=b"abc")

    async def on_answer(status: int) -> None:
        steps.append(f"answer {status}")

    async def on_end(status: int) -> None:
        steps.append("end")

    async with between(answer, on_answer=on_answer, on_end=on_end) as session, session.get("/v1.41/x/a") as response:
        assert await response.read() == b"abc"
        steps.append("client")
    assert steps == ["engine", "answer 200", "end", "client"]


async def test_a_client_that_goes_away_ends_the_request_to_the_engine() -> None:
    gone = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await response.write(b"line\n")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            gone.set()
            raise
        return response

    async with between(answer) as session:
        async with session.get("/v1.41/x/a") as response:
            await response.content.readline()
        async with asyncio.timeout(1):
            await gone.wait()


async def test_a_client_that_does_not_read_holds_the_engine_back() -> None:
    sent = 0
    stalled = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            try:
                async with asyncio.timeout(0.3):
                    await response.write(MEGABYTE)
            except TimeoutError:
                stalled.set()
                return response
            sent += len(MEGABYTE)

    async with between(answer) as session, asyncio.timeout(20), session.get("/v1.41/x/a"):
        await stalled.wait()
    assert sent < 40 * 2**20


async def fill(writer: asyncio.StreamWriter) -> int:
    """Write until nothing goes for a second; how many bytes were written."""
    sent = 0
    while True:
        writer.write(MEGABYTE)
        try:
            async with asyncio.timeout(1):
                await writer.drain()
        except TimeoutError:
            return sent
        sent += len(MEGABYTE)


async def test_an_engine_that_does_not_read_holds_the_client_back_until_that_leaves() -> None:
    reads_again, ended = asyncio.Event(), asyncio.Event()

    async def unwilling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reads_again.wait()
        while await reader.read(2**20):
            pass
        ended.set()
        writer.close()

    async def pass_on(request: web.Request) -> web.StreamResponse:
        return await forward(request, engine, "/a")

    app = web.Application(middlewares=[error_middleware])
    app.router.add_put("/", pass_on)
    async with (
        await asyncio.start_server(unwilling, "127.0.0.1", 0) as far,
        Engine(f"tcp://127.0.0.1:{far.sockets[0].getsockname()[1]}") as engine,
        HttpServer(app, ["127.0.0.1:0"]) as server,
    ):
        _, writer = await asyncio.open_connection(*server.urls[0].removeprefix("tcp://").split(":"))
        writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        assert await fill(writer) < 40 * 2**20
        # an end without a reset would wait behind what nobody reads
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        async with asyncio.timeout(2):
            while any(task.get_name() == "watch client" for task in asyncio.all_tasks()):
                await asyncio.sleep(0.01)
            reads_again.set()
            await ended.wait()


async def test_an_engine_that_breaks_off_is_not_taken_for_whole() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport
        request.transport.abort()
        return response

    async with between(answer) as session, session.get("/v1.41/x/a") as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_an_engine_that_is_away_is_told_as_503() -> None:
    async with between(read_all) as session, session.get("/v1.41/x/a") as response:
        assert response.status == 200

    async def pass_on(request: web.Request) -> web.StreamResponse:
        return await forward(request, engine, "/a")

    app = web.Application(middlewares=[error_middleware])
    app.router.add_get("/", pass_on)
    async with (
        Engine("tcp://127.0.0.1:1") as engine,
        HttpServer(app, ["127.0.0.1:0"]) as server,
        aiohttp.ClientSession() as client,
        client.get(server.urls[0].replace("tcp", "http")) as response,
    ):
        assert response.status == 503
        assert "tcp://127.0.0.1:1" in (await response.json())["message"]


async def test_a_websocket_is_handed_through() -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        near = web.WebSocketResponse()
        await near.prepare(request)
        async for message in near:
            await near.send_str(message.data.upper())
        return near

    async with between(echo) as session, asyncio.timeout(5), session.ws_connect("/v1.41/x/a") as far:
        await far.send_str("hello")
        assert await far.receive_str() == "HELLO"
        await far.send_str("you")
        assert await far.receive_str() == "YOU"


async def test_a_refused_upgrade_is_told_with_the_engines_words() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"message": "no such thing"}, status=404)

    headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
    async with between(refuse) as session, session.post("/v1.41/x/a", headers=headers) as response:
        assert (response.status, await response.json()) == (404, {"message": "no such thing"})
