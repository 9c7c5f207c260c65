import asyncio
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep.engine import Engine
from skep.engine.events import MAX_LINE, EngineEvent, EventStream
from skep.errors import EngineError, EngineProtocolError, EngineTimeoutError, EngineUnreachableError
from tests.agent.engine.raw_engine import RawEngine, http

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


def line(action: str, time_nano: int = 1, **attributes: object) -> bytes:
    actor = {"ID": "abc", "Attributes": attributes or None}
    return json.dumps({"Type": "container", "Action": action, "Actor": actor, "timeNano": time_nano}).encode()


async def collect(engine: Engine) -> tuple[list[EngineEvent], int]:
    async with engine.events() as stream:
        return [event async for event in stream], stream.skipped


async def test_events_come_in_order_with_their_time(raw: RawEngine, engine: Engine) -> None:
    first, second = line("start", 1700000000123456789, name="web"), line("die", 2)
    raw.answers["/events"] = http(first + b"\n" + second + b"\r\n\n")
    events, skipped = await collect(engine)
    assert events == [
        EngineEvent("container", "start", "abc", {"name": "web"}, 1700000000123456789, first),
        EngineEvent("container", "die", "abc", {}, 2, second),
    ]
    assert skipped == 0


async def test_the_subscription_stands_before_the_first_event(raw: RawEngine, engine: Engine) -> None:
    release = asyncio.Event()

    async def later(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        await release.wait()
        writer.write(line("start") + b"\n")
        await writer.drain()

    raw.answers["/events"] = later
    async with engine.events(since="17.000000001", filters={"type": ["container"]}) as stream:
        release.set()
        assert [event.action async for event in stream] == ["start"]
    query = "since=17.000000001&filters=%7B%22type%22%3A%5B%22container%22%5D%7D"
    assert raw.requests[-1].line == f"GET /v1.41/events?{query} HTTP/1.1"


@pytest.mark.parametrize(
    "garbage",
    [
        b"garbage",
        b"{}",
        b"[1]",
        b'{"Type":"container","Action":"start"}',
        b'{"Type":7,"Action":"start","Actor":{"ID":"x"}}',
        b'{"Type":"container","Action":"start","Actor":{"ID":"\xff"}}',
        b"[" * 10_000,
        b"x" * (MAX_LINE - 1),
    ],
    ids=["text", "empty", "list", "no actor", "type", "utf-8", "deep", "long"],
)
async def test_lines_that_are_no_events_are_counted_and_skipped(garbage: bytes, raw: RawEngine, engine: Engine) -> None:
    raw.answers["/events"] = http(line("start") + b"\n" + garbage + b"\n" + line("die") + b"\n")
    events, skipped = await collect(engine)
    assert ([event.action for event in events], skipped) == (["start", "die"], 1)


async def test_an_endless_line_is_refused(raw: RawEngine, engine: Engine) -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    raw.answers["/events"] = endless
    with pytest.raises(EngineProtocolError, match="an event of more than 1048576 bytes"):
        await collect(engine)


async def test_a_broken_stream_is_told_after_what_came(raw: RawEngine, engine: Engine) -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = line("start") + b"\n"
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(body), body))
        await writer.drain()

    raw.answers["/events"] = cut
    async with engine.events() as stream:
        assert (await anext(stream)).action == "start"
        with pytest.raises(EngineUnreachableError, match="GET /events: the connection broke"):
            await anext(stream)


async def test_a_refused_subscription(raw: RawEngine, engine: Engine) -> None:
    raw.answers["/events"] = http(b'{"message":"bad since"}', 400)
    with pytest.raises(EngineError, match="bad since"):
        await collect(engine)


async def test_an_engine_that_does_not_begin_to_answer(raw: RawEngine) -> None:
    async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    raw.answers["/events"] = silence
    async with Engine(raw.address, read_timeout=0.2) as engine:
        with pytest.raises(EngineTimeoutError):
            await collect(engine)


class _Chunks:
    """The chunks of a response's body, as aiohttp hands them out."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = iter(chunks)
        self.content = self

    async def readany(self) -> bytes:
        return next(self._chunks, b"")


@given(
    st.lists(st.sampled_from(["start", "die", "é", "garbage"])),
    st.lists(st.integers(min_value=0, max_value=400)),
)
def test_how_the_bytes_are_cut_makes_no_difference(actions: list[str], cuts: list[int]) -> None:
    body = b"".join(b"garbage\n" if a == "garbage" else line(a, name=a) + b"\n" for a in actions)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    chunks = [body[a:b] for a, b in pairwise(edges) if a < b]

    async def read() -> tuple[list[str], int]:
        stream = EventStream(_Chunks(chunks), "engine")  # type: ignore[arg-type]
        return [event.action async for event in stream], stream.skipped

    assert asyncio.run(read()) == ([a for a in actions if a != "garbage"], actions.count("garbage"))
