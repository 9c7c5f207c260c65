"""What one client may take of the endpoint: connections, requests under way, time for its bodies."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from skep.testing import wait_for

HEAD = b"POST /containers/create HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"


def address(url: str) -> tuple[str, int]:
    host, _, port = url.rpartition("://")[2].rpartition(":")
    return host, int(port)


async def test_streams_of_one_client_are_counted_and_given_back(serving: Any) -> None:
    async with serving("n1", settings={"max_requests": 3}) as api:
        api.engines["n1"].create("box")
        await wait_for(lambda: api.agent.cluster.state.named("box"))
        streams = [await api.session.get("/events") for _ in range(3)]
        status, told = await api.call("GET", "/containers/json")
        assert status == 429
        assert told["message"] == (
            "client 127.0.0.1 has 3 requests under way, streams such as events and logs among them: "
            "end some, or have plugins.docker_api.max_requests raised"
        )
        streams.pop().close()

        async def served() -> bool:
            return bool((await api.call("GET", "/containers/json"))[0] == 200)

        await wait_for(served)
        for stream in streams:
            stream.close()


async def test_none_is_refused_where_any_number_is_allowed(serving: Any) -> None:
    async with serving("n1", settings={"max_requests": 0, "max_connections": 0}) as api:
        streams = [await api.session.get("/events") for _ in range(20)]
        assert (await api.call("GET", "/_ping"))[0] == 200
        for stream in streams:
            stream.close()


@pytest.mark.parametrize("listen", ["tcp", "unix"])
async def test_one_connection_more_is_told_why(serving: Any, listen: str, tmp_path: Any) -> None:
    path = f"{tmp_path}/s"
    own = "tcp://127.0.0.1:0" if listen == "tcp" else f"unix://{path}"

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if listen == "unix":
            return await asyncio.open_unix_connection(path)
        return await asyncio.open_connection(*address(api.url))

    async with serving("n1", settings={"max_connections": 2, "listen": (own,)}) as api, asyncio.timeout(10):
        held = [await connect() for _ in range(2)]
        for reader, writer in held:
            writer.write(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        reader, writer = await connect()
        refused = await reader.read()
        assert refused.startswith(b"HTTP/1.1 429")
        assert b"has 2 connections; no client may have more than 2" in refused
        writer.close()
        held.pop()[1].close()

        async def let_in() -> bool:
            reader, writer = await connect()
            try:
                writer.write(b"GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return (await reader.readline()).startswith(b"HTTP/1.1 200")
            except ConnectionError:
                return False
            finally:
                writer.close()

        await wait_for(let_in)
        held[0][1].close()


async def test_a_body_that_does_not_come_is_not_waited_for(serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skep_docker_api.queries._BODY_SECONDS", 0.2)
    async with serving("n1") as api, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address(api.url))
        writer.write(HEAD + b"{")
        answer = await reader.readuntil(b"}")
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"did not come within 0.2 s" in answer
        assert api.engines["n1"].state.containers == {}
        writer.close()


async def test_who_sends_a_byte_now_and_then_is_cut_off_as_well(serving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skep_docker_api.queries._BODY_SECONDS", 0.5)
    async with serving("n1") as api, asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(*address(api.url))
        writer.write(HEAD.replace(b": 9", b": 99999"))
        answering = asyncio.create_task(reader.readline())
        while not answering.done():
            writer.write(b" ")
            await asyncio.wait([answering], timeout=0.02)
        assert answering.result().startswith(b"HTTP/1.1 408")
        writer.close()


async def test_a_client_that_reads_nothing_keeps_nobody_else_waiting(api: Any) -> None:
    _, writer = await asyncio.open_connection(*address(api.url), limit=2**10)  # which it fills, and then takes no more
    for _ in range(50):
        writer.write(b"GET /info HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(5), aiohttp.ClientSession(api.session._base_url) as other:
        for _ in range(20):
            async with other.get("/info") as answer:
                assert answer.status == 200
    writer.transport.abort()
