import asyncio

import pytest

from skep.engine import Engine
from skep.engine.kept import LONGEST_IDLE, MOST_IDLE
from skep.errors import EngineProtocolError, EngineTimeoutError, EngineUnreachableError
from tests.agent.engine.raw_engine import RawEngine, eventually, http

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


async def read(engine: Engine, path: str = "/x", most: int = 1000, timeout: float = 5) -> tuple[int, bytes]:
    return await engine.read(path, timeout=timeout, most=most, version="")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http(b"abc"), (200, b"abc")),
        (http(b'{"message":"no"}', 404), (404, b'{"message":"no"}')),
        (CHUNKED + b"2\r\nab\r\n1;name=value\r\nc\r\n0\r\n\r\n", (200, b"abc")),
        (CHUNKED + b"3\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n", (200, b"abc")),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + http(b"abc"), (200, b"abc")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (http(b"x" * 1000), (200, b"x" * 1000)),
    ],
)
async def test_answers_are_read_to_their_end_and_the_connection_is_kept(
    raw: RawEngine, engine: Engine, answer: bytes, expected: tuple[int, bytes]
) -> None:
    raw.answers["/x"] = answer
    assert [await read(engine), await read(engine)] == [expected, expected]
    assert raw.connections == 1
    assert raw.requests[0].line == "GET /x HTTP/1.1"
    assert raw.requests[0].headers == {"host": raw.address.removeprefix("tcp://")}


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"SSH-2.0-x\r\n\r\n", "it begins b'SSH-2.0-x'"),
        (HEAD + b"Content-Length: -1\r\n\r\n", "the length '-1'"),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", "the length"),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "its transfer coding"),
        (HEAD + b"Transfer-Encoding: gzip\r\n\r\n", "its transfer coding is 'gzip'"),
        (CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n", "a chunk begins"),
        (CHUNKED + b"2\r\nabc\r\n0\r\n\r\n", "a chunk is longer than it says"),
        (http(b"x" * 1001), "more than 1000 bytes"),
        (CHUNKED + b"%x\r\n" % 2**40, "more than 1000 bytes"),
        (CHUNKED + b"0\r\n" + b"A: b\r\n" * 500, "more than 1000 bytes"),
    ],
)
async def test_what_is_not_http_or_too_much_is_refused_and_ends_the_connection(
    raw: RawEngine, engine: Engine, answer: bytes, told: str
) -> None:
    raw.answers["/x"] = answer
    with pytest.raises(EngineProtocolError, match=told):
        await read(engine)
    await eventually(lambda: raw.open == 0)


async def test_without_a_length_the_body_ends_with_the_connection(raw: RawEngine, engine: Engine) -> None:
    async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"\r\nabc")
        await writer.drain()

    raw.answers["/x"] = until_closed
    assert await read(engine) == (200, b"abc")
    assert await read(engine) == (200, b"abc")
    assert raw.connections == 2
    with pytest.raises(EngineProtocolError, match="more than 2 bytes"):
        await read(engine, most=2)


async def test_a_kept_connection_that_the_engine_closed_is_replaced(raw: RawEngine, engine: Engine) -> None:
    async def close_at_the_second(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b"abc"))
        await reader.readuntil(b"\r\n\r\n")

    raw.answers["/x"] = close_at_the_second
    assert await read(engine) == (200, b"abc")
    assert await read(engine) == (200, b"abc")
    assert raw.connections == 2


async def test_an_answer_that_breaks_off_is_told(raw: RawEngine, engine: Engine) -> None:
    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 10\r\n\r\nabc")
        await writer.drain()

    raw.answers["/x"] = break_off
    with pytest.raises(EngineUnreachableError, match="GET /x: the connection broke"):
        await read(engine)
    assert raw.connections == 1


async def test_an_answer_that_does_not_come_is_given_up_in_time(raw: RawEngine, engine: Engine) -> None:
    async def be_mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    raw.answers["/x"] = be_mute
    with pytest.raises(EngineTimeoutError, match="GET /x: no answer in time"):
        await read(engine, timeout=0.05)
    await eventually(lambda: raw.open == 0)


async def test_few_connections_are_kept_and_none_for_long(
    raw: RawEngine, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw.answers["/x"] = http(b"abc")
    await asyncio.gather(*(read(engine) for _ in range(3 * MOST_IDLE)))
    await eventually(lambda: raw.open == MOST_IDLE)
    loop, late = asyncio.get_running_loop(), asyncio.get_running_loop().time() + LONGEST_IDLE + 1
    with monkeypatch.context() as patched:
        patched.setattr(loop, "time", lambda: late)
        await read(engine, timeout=60)
    await eventually(lambda: raw.open == 1)


async def test_they_close_with_the_client(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/x"] = http(b"abc")
    await read(engine)
    await engine.aclose()
    await eventually(lambda: raw.open == 0)
    with pytest.raises(EngineUnreachableError, match="this client is closed"):
        await read(engine)
