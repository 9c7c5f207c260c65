import asyncio
from collections.abc import AsyncIterator

import aiodocker
import pytest

from skep.engine import Engine
from skep.errors import EngineTimeoutError, EngineUnreachableError
from tests.agent.engine.raw_engine import RawEngine, eventually, http

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_everything_passes_through_as_it_is(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/images/a%2Fb/json"] = http(b"\x1f\x8bnot really", 418, Content_Encoding="gzip", X_Own="1")
    headers = {"X-Registry-Auth": "e30=", "User-Agent": "Docker-Client/28.2"}
    async with engine.stream(
        "GET", "/images/a%2Fb/json", query="a=%7e&a=+&b", headers=headers, version="1.30"
    ) as response:
        assert (response.status, response.headers["X-Own"]) == (418, "1")
        assert await response.read() == b"\x1f\x8bnot really"
    sent = raw.requests[-1]
    assert sent.line == "GET /v1.30/images/a%2Fb/json?a=%7e&a=+&b HTTP/1.1"
    assert set(sent.headers) == {"host", "x-registry-auth", "user-agent"}


async def test_any_number_of_streams_delays_no_call(raw: RawEngine, engine: Engine) -> None:
    async def follow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        await reader.read()

    raw.answers |= {"/logs": follow, "/x": http(b"[]")}
    await engine.negotiate()
    standing = asyncio.Semaphore(0)

    async def read() -> None:
        async with engine.stream("GET", "/logs") as response:
            standing.release()
            await response.content.readany()

    readers = [asyncio.create_task(read()) for _ in range(150)]
    for _ in readers:
        await standing.acquire()
    assert await engine.call("GET", "/x", timeout=5) == b"[]"
    for reader in readers:
        reader.cancel()
    await asyncio.wait(readers)
    await eventually(lambda: raw.open <= 2)


async def test_uploads_are_streamed(raw: RawEngine, engine: Engine) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    raw.answers["/build"] = http(b"ok")
    async with engine.stream("POST", "/build", headers={"Content-Length": "6"}, data=pieces()) as response:
        assert await response.read() == b"ok"
    assert raw.requests[-1].body == b"onetwo"


async def test_the_uploaders_own_failure_stays_his(raw: RawEngine, engine: Engine) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        raise ConnectionResetError("the client went away")

    raw.answers["/build"] = silence
    with pytest.raises(ConnectionResetError, match="the client went away"):
        async with engine.stream("POST", "/build", data=pieces()):
            pass


async def test_a_stream_that_breaks_is_told(raw: RawEngine, engine: Engine) -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"5\r\nhello\r\n")
        await writer.drain()

    raw.answers["/logs"] = cut
    received: list[bytes] = []

    async def read() -> None:
        async with engine.stream("GET", "/logs") as response:
            async for chunk in response.content.iter_any():
                received.append(chunk)  # noqa: PERF401 - what came before it broke counts

    with pytest.raises(EngineUnreachableError, match=f"{raw.address}: GET /logs: the connection broke"):
        await read()
    assert received == [b"hello"]


async def test_the_callers_own_failure_stays_his(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/logs"] = http(b"hello")
    with pytest.raises(ConnectionResetError, match="mine"):
        async with engine.stream("GET", "/logs"):
            raise ConnectionResetError("mine")


async def test_only_the_beginning_has_a_deadline(raw: RawEngine, engine: Engine) -> None:
    release = asyncio.Event()

    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        await release.wait()
        writer.write(b"5\r\nhello\r\n0\r\n\r\n")
        await writer.drain()

    raw.answers |= {"/logs": slowly, "/wait": silence}
    await engine.negotiate()
    with pytest.raises(EngineTimeoutError):
        async with engine.stream("POST", "/wait", timeout=0.1):
            pass
    async with engine.stream("GET", "/logs", timeout=0.1) as response:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await response.content.readany()
        release.set()
        assert await response.content.readany() == b"hello"


async def test_leaving_a_stream_early_closes_its_connection(raw: RawEngine, engine: Engine) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        while True:
            writer.write(b"5\r\nhello\r\n")
            await writer.drain()

    raw.answers["/logs"] = endless
    async with engine.stream("GET", "/logs") as response:
        assert (await response.content.readany()).startswith(b"hello")
    await eventually(lambda: raw.open == 1)


async def test_aiodocker_works_over_our_connections(raw: RawEngine) -> None:
    raw.answers["/containers/json"] = http(b'[{"Id":"abc"}]', Content_Type="application/json")
    async with Engine(raw.address) as engine:
        with pytest.raises(RuntimeError, match="negotiate"):
            _ = engine.docker
        await engine.negotiate()
        containers = await engine.docker.containers.list()
        assert [container.id for container in containers] == ["abc"]
        assert raw.requests[-1].line.startswith("GET /v1.41/containers/json")
        assert isinstance(engine.docker, aiodocker.Docker)
        assert engine.docker is engine.docker
    await eventually(lambda: raw.open == 0)


async def test_the_connection_that_was_used_last_is_taken_first(raw: RawEngine, engine: Engine) -> None:
    raw.answers |= {"/a": http(b"[]")}
    await engine.negotiate()
    standing = asyncio.Barrier(4)

    async def at_once() -> None:
        async with engine.stream("GET", "/a"):
            await standing.wait()

    async with asyncio.timeout(5):
        await asyncio.gather(*(at_once() for _ in range(4)))
    assert engine._wire.sessions is not None
    (idle,) = engine._wire.sessions.streams.connector._conns.values()  # type: ignore[union-attr]
    used, others = idle[0][0], {protocol for protocol, _ in list(idle)[1:]}
    for _ in range(6):
        async with engine.stream("GET", "/a") as response:
            await response.read()
        assert idle[0][0] is used
    assert {protocol for protocol, _ in list(idle)[1:]} == others
    assert len(others) == 3
