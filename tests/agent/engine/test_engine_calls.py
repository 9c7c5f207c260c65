import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skep.engine import Engine
from skep.engine.sessions import CALLS_AT_ONCE, find_dead_peers
from skep.errors import (
    EngineError,
    EngineProtocolError,
    EngineTimeoutError,
    EngineUnreachableError,
    RequestError,
)
from tests.agent.engine.raw_engine import RawEngine, eventually, http


class Thing(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    count: int = msgspec.field(name="Count", default=0)


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_a_call_sends_what_it_was_given(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/containers/create"] = http(b'{"Id":"abc"}', 201)
    query = {
        "name": "a b",
        "all": True,
        "size": False,
        "limit": 3,
        "none": None,
        "filters": {"label": ["x=1"]},
    }
    body = await engine.call("POST", "/containers/create", query=query, json={"Image": "busybox"})
    assert body == b'{"Id":"abc"}'
    sent = raw.requests[-1]
    assert sent.line == (
        "POST /v1.41/containers/create?name=a+b&all=1&size=0&limit=3"
        "&filters=%7B%22label%22%3A%5B%22x%3D1%22%5D%7D HTTP/1.1"
    )
    assert (sent.body, sent.headers["content-type"]) == (b'{"Image":"busybox"}', "application/json")


async def test_a_large_body_is_sent_whole_and_with_its_length(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/build"] = http(b"")
    large = bytes(range(256)) * 8192
    await engine.call("POST", "/build", body=large)
    async with engine.stream("POST", "/build", data=large) as response:
        assert response.status == 200
    for sent in raw.requests[-2:]:
        assert (sent.body == large, sent.headers["content-length"]) == (True, str(len(large)))


async def test_get_decodes_into_the_type(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/things"] = http(b'[{"Id":"a","Count":2,"New":null}]')
    assert await engine.get("/things", list[Thing]) == [Thing("a", 2)]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'[{"Id":7}]', r"Expected `str`, got `int` - at `\$\[0\].Id`"),
        (b'{"Id":"a"}', "Expected `array`"),
        (b'[{"Id":"a"', "truncated"),
        (b"<html>", "malformed"),
        (b"", "truncated"),
        (b'[{"Id":"\xff"}]', "unexpected answer"),
        (b"[" * 100_000, "unexpected answer"),
        (b"null", "Expected `array`"),
    ],
    ids=["type", "shape", "cut", "html", "empty", "utf-8", "deep", "null"],
)
async def test_an_answer_of_another_shape_is_named(body: bytes, told: str, raw: RawEngine, engine: Engine) -> None:
    raw.answers["/things"] = http(body)
    with pytest.raises(EngineProtocolError, match=told) as caught:
        await engine.get("/things", list[Thing])
    assert f"engine {raw.address}: GET /things" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"message":"No such container: x"}\n', "No such container: x"),
        (b"page not found\n", "page not found"),
        (b'{"error":"x"}', '{"error":"x"}'),
        (b'{"message":7}', '{"message":7}'),
        (b"", "the engine answered with status 404 and no message"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
async def test_an_error_status_carries_the_engines_message(
    body: bytes, message: str, raw: RawEngine, engine: Engine
) -> None:
    raw.answers["/containers/x/json"] = http(body, 404)
    with pytest.raises(EngineError) as caught:
        await engine.call("GET", "/containers/x/json")
    assert (caught.value.status, caught.value.message) == (404, message)


async def test_a_huge_error_is_cut_short(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/x"] = http(b"y" * 10_000_000, 500)
    with pytest.raises(EngineError) as caught:
        await engine.call("GET", "/x")
    assert len(caught.value.message) <= 4096
    assert caught.value.message.endswith("…")


async def test_redirects_are_not_followed(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/x"] = http(b"", 302, Location="http://169.254.169.254/")
    with pytest.raises(EngineError) as caught:
        await engine.call("GET", "/x")
    assert (caught.value.status, len(raw.requests)) == (302, 2)


async def test_an_answer_beyond_the_limit_is_not_held(raw: RawEngine) -> None:
    sent = 0

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    raw.answers["/x"] = endless
    async with Engine(raw.address, max_body=1_000_000) as engine:
        with pytest.raises(EngineProtocolError, match="more than 1000000 bytes"):
            await engine.call("GET", "/x")
    await eventually(lambda: raw.open == 0)
    assert sent < 30_000_000


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[]",
        CHUNKED + b"10\r\n[]",
        CHUNKED + b"2\r\n[]\r\n",
        b"HTTP/1.1 200",
        b"",
    ],
    ids=["length", "chunk", "no last chunk", "head", "nothing"],
)
async def test_a_cut_answer_is_never_taken_for_whole(answer: bytes, raw: RawEngine, engine: Engine) -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    raw.answers |= {"/x": cut, "/y": http(b"[]")}
    with pytest.raises(EngineUnreachableError, match="the connection broke") as caught:
        await engine.call("POST", "/x")
    assert f"engine {raw.address}: POST /v1.41/x" in str(caught.value)
    before = raw.connections
    assert await engine.call("GET", "/y") == b"[]"
    assert raw.connections == before + 1


async def test_a_reset_connection_is_told(raw: RawEngine, engine: Engine) -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        linger = b"\x01\0\0\0\0\0\0\0"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    raw.answers["/x"] = reset
    with pytest.raises(EngineUnreachableError, match="the connection broke"):
        await engine.call("POST", "/x")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 10**6,
        CHUNKED + b"zz\r\n[]\r\n",
        http(b"[]") + b"more than its length",
    ],
    ids=["ssh", "endless header", "chunk size", "too long"],
)
async def test_what_is_not_http_is_told(answer: bytes, raw: RawEngine, engine: Engine) -> None:
    raw.answers |= {"/x": answer, "/y": http(b"[]")}
    with pytest.raises(EngineProtocolError, match="not HTTP"):
        await engine.call("GET", "/x")
    assert await engine.call("GET", "/y") == b"[]"


async def test_an_engine_that_does_not_answer_is_given_up(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/x"] = silence
    await engine.negotiate()
    with pytest.raises(EngineTimeoutError, match=f"{raw.address}: GET /v1.41/x: no answer in time"):
        await engine.call("GET", "/x", timeout=0.1)
    await eventually(lambda: raw.open == 1)  # the ping's, which is free again


async def test_an_engine_that_stops_in_the_middle_is_given_up(raw: RawEngine, engine: Engine) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"2\r\n[]\r\n")
        await reader.read()

    raw.answers["/x"] = half
    await engine.negotiate()
    with pytest.raises(EngineTimeoutError):
        await engine.call("GET", "/x", timeout=0.1)


async def test_no_engine_there(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        async with Engine(address) as engine:
            with pytest.raises(
                EngineUnreachableError, match=f"engine {address}: GET /_ping: cannot connect: Connection refused$"
            ):
                await engine.ping()
    async with Engine(f"unix://{tmp_path}/none.sock") as engine:
        with pytest.raises(EngineUnreachableError, match="No such file or directory"):
            await engine.ping()


@pytest.fixture
async def deaf() -> AsyncIterator[str]:
    """An address that takes no connection: its backlog is full."""
    loop = asyncio.get_running_loop()
    with socket.socket() as server, contextlib.ExitStack() as stack:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(loop.sock_connect(filler, server.getsockname()), 0.1)
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


async def test_connecting_has_its_own_deadline(deaf: str) -> None:
    loop = asyncio.get_running_loop()
    async with Engine(deaf, connect_timeout=0.2, read_timeout=30) as engine:
        for attempt in (engine.ping(), engine.hijack("POST", "/x", version=""), engine.call("GET", "/x")):
            started = loop.time()
            with pytest.raises(EngineUnreachableError, match="no connection in time"):
                await attempt
            assert loop.time() - started < 2


async def test_a_cancelled_call_leaves_no_connection_behind(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/x"] = silence
    await engine.negotiate()
    call = asyncio.create_task(engine.call("GET", "/x"))
    await eventually(lambda: raw.count("/x"))
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await eventually(lambda: raw.open <= 1)
    await engine.ping()


async def test_calls_share_few_connections(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/x"] = http(b"[]")
    await asyncio.gather(*(engine.call("GET", "/x") for _ in range(100)))
    assert raw.connections <= CALLS_AT_ONCE


async def test_the_address_connected_to_is_known(raw: RawEngine) -> None:
    async with Engine(raw.address.replace("127.0.0.1", "localhost")) as engine:
        assert engine.host is None
        await engine.ping()
        assert engine.host == "127.0.0.1"


@pytest.mark.parametrize("path", ["x", "/a b", "/a\r\nX: y", "/a?b=c", "/a#b", "/ä", "/\0"])
async def test_paths_that_would_change_the_request_are_refused(path: str, raw: RawEngine, engine: Engine) -> None:
    for attempt in (engine.call("GET", path, version=""), engine.hijack("POST", path, version="")):
        with pytest.raises(RequestError, match="invalid path"):
            await attempt
    with pytest.raises(RequestError, match="invalid query"):
        await engine.call("GET", "/x", query="a b", version="")
    assert raw.requests == []


async def test_counters_tell_calls_errors_and_time(raw: RawEngine, engine: Engine) -> None:
    raw.answers |= {"/404": http(b"", 404), "/500": http(b"", 500), "/slow": silence}
    attempts: list[tuple[str, Any]] = [
        ("/404", EngineError),
        ("/500", EngineError),
        ("/slow", EngineTimeoutError),
    ]
    for path, error in attempts:
        with pytest.raises(error):
            await engine.call("GET", path, timeout=0.2)
    assert (engine.counters.calls, engine.counters.errors) == (4, 2)
    assert 0.2 <= engine.counters.seconds < 2


async def test_dead_peers_are_found_within_ten_seconds() -> None:
    with socket.socket() as sock:
        find_dead_peers(sock)
        probes = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT]
        idle, interval, count = (sock.getsockopt(socket.IPPROTO_TCP, option) for option in probes)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert idle + interval * count <= 10
        assert 0 < sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 10_000
        find_dead_peers(sock, streams=True)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
