import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from skep.engine import Engine
from skep.errors import (
    EngineError,
    EngineProtocolError,
    EngineTimeoutError,
    EngineUnreachableError,
    RequestError,
)
from tests.agent.engine.raw_engine import RawEngine, eventually, http

UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


async def cat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(UPGRADED + b"early ")
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b" end")
    await writer.drain()


@pytest.fixture(params=["tcp", "unix"])
async def cats(request: pytest.FixtureRequest, raw: RawEngine, tmp_path: Path) -> AsyncIterator[Engine]:
    raw.answers["/exec/1/start"] = cat
    server = await asyncio.start_unix_server(raw.serve, tmp_path / "e.sock")
    async with Engine(raw.address if request.param == "tcp" else f"unix://{tmp_path}/e.sock") as engine:
        yield engine
    server.close()


async def test_bytes_flow_both_ways_and_half_close_is_carried(cats: Engine, raw: RawEngine) -> None:
    async with await cats.hijack("POST", "/exec/1/start", query={"stdin": True}, body=b'{"Tty":false}') as taken:
        assert (taken.status, taken.headers["upgrade"]) == (101, "tcp")
        taken.writer.write(b"hello")
        taken.writer.write_eof()
        assert await taken.reader.read(-1) == b"early hello end"
    sent = raw.requests[-1]
    assert sent.line == "POST /v1.41/exec/1/start?stdin=1 HTTP/1.1"
    assert sent.body == b'{"Tty":false}'
    assert {k: sent.headers[k] for k in ("connection", "upgrade", "content-type")} == {
        "connection": "Upgrade",
        "upgrade": "tcp",
        "content-type": "application/json",
    }


async def test_the_callers_headers_go_out_as_they_are(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/session"] = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nabc"
    headers = {"Upgrade": "h2c", "connection": "Upgrade", "X-Docker-Expose-Session-Uuid": "1"}
    async with await engine.hijack("POST", "/session", query="a=%20", headers=headers) as taken:
        assert (taken.status, await taken.reader.readexactly(3)) == (200, b"abc")
    sent = raw.requests[-1]
    assert sent.line == "POST /v1.41/session?a=%20 HTTP/1.1"
    assert set(sent.headers) == {
        "host",
        "upgrade",
        "connection",
        "x-docker-expose-session-uuid",
        "content-length",
    }


@pytest.mark.parametrize(
    "answer",
    [
        http(b'{"message":"container x is not running"}', 409),
        b'HTTP/1.1 409 C\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"message":"cont\r\n'
        b'18\r\nainer x is not running"}\r\n0\r\n\r\n',
        b"HTTP/1.0 409 Conflict\r\n\r\ncontainer x is not running",
    ],
    ids=["length", "chunked", "until closed"],
)
async def test_a_refusal_carries_the_engines_message(answer: bytes, raw: RawEngine, engine: Engine) -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    raw.answers["/x"] = refuse
    with pytest.raises(EngineError) as caught:
        await engine.hijack("POST", "/x")
    assert (caught.value.status, caught.value.message) == (409, "container x is not running")
    await eventually(lambda: raw.open <= 1)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (http(b"{}"), "did not hand the connection over"),
        (http(b"", 302), "did not hand the connection over"),
        (b"SSH-2.0\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 101 OK\r\nA: b\r\n folded\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 101 OK\nUpgrade: tcp\n\n\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 101 OK\r\nA: " + b"x" * 40_000 + b"\r\n\r\n", "head is longer"),
        (b"HTTP/1.1 101 OK\r\nA: " + b"x" * 4_000_000, "not HTTP"),
    ],
    ids=["framed", "redirect", "ssh", "folded", "bare lf", "long", "endless"],
)
async def test_what_is_no_handover_is_refused(answer: bytes, told: str, raw: RawEngine, engine: Engine) -> None:
    raw.answers["/x"] = answer
    with pytest.raises(EngineProtocolError, match=told):
        await engine.hijack("POST", "/x")
    await eventually(lambda: raw.open <= 1)


async def test_an_engine_that_hangs_up_or_hangs(raw: RawEngine, engine: Engine) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 101")

    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    raw.answers |= {"/up": hang_up, "/hang": hang}
    with pytest.raises(EngineUnreachableError, match="POST /up: the connection broke"):
        await engine.hijack("POST", "/up")
    with pytest.raises(EngineTimeoutError, match="POST /hang: no answer in time"):
        await engine.hijack("POST", "/hang", timeout=0.1)
    attempt = asyncio.create_task(engine.hijack("POST", "/hang"))
    await eventually(lambda: raw.count("/hang") == 2)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    await eventually(lambda: raw.open <= 1)


async def test_headers_cannot_smuggle_a_request(raw: RawEngine, engine: Engine) -> None:
    with pytest.raises(RequestError, match="line break"):
        await engine.hijack("POST", "/x", headers={"A": "b\r\n\r\nDELETE / HTTP/1.1"}, version="")
    assert raw.requests == []


async def test_a_hijacked_connection_outlives_the_engines_pools(raw: RawEngine) -> None:
    raw.answers["/x"] = cat
    async with Engine(raw.address) as engine:
        taken = await engine.hijack("POST", "/x")
    taken.writer.write(b"still there")
    taken.writer.write_eof()
    assert await taken.reader.read(-1) == b"early still there end"
    await taken.close()
