"""Faults: each does to a client what it says, and no longer than it is set."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from skep.testing import EmbeddedEngine, Event, Fault, Faults


@pytest.fixture
async def engine() -> AsyncIterator[EmbeddedEngine]:
    async with EmbeddedEngine("faulty") as engine:
        engine.run("web")
        engine.run("db")
        yield engine


@pytest.fixture
async def session(engine: EmbeddedEngine) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(engine.url.removeprefix("unix://"))
    async with aiohttp.ClientSession("http://engine", connector=connector) as session:
        yield session


async def get(session: aiohttp.ClientSession, path: str, seconds: float = 5) -> Any:
    async with asyncio.timeout(seconds), session.get(path) as answer:
        return await answer.json()


async def healthy(session: aiohttp.ClientSession) -> bool:
    return len(await get(session, "/containers/json")) == 2


async def test_a_hung_engine_answers_when_it_is_cleared(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    fault = engine.faults.hang()
    waiting = asyncio.create_task(get(session, "/info"))
    while not fault.hits:
        await asyncio.sleep(0)
    assert not waiting.done()

    fault.clear()

    assert (await waiting)["Name"] == "faulty"


async def test_a_client_that_gives_up_leaves_nothing_behind(
    engine: EmbeddedEngine, session: aiohttp.ClientSession
) -> None:
    with engine.faults.hang("/info") as fault:
        with pytest.raises(TimeoutError):
            await get(session, "/info", seconds=0.05)
        assert fault.hits == 1
        assert await healthy(session)

    async with asyncio.timeout(5):
        while any("_handle" in repr(task.get_coro()) for task in asyncio.all_tasks()):
            await asyncio.sleep(0.01)


async def test_one_container_hangs_by_all_its_names(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    id_ = engine.state.container("web").id
    with engine.faults.hang_inspect("web"):
        for name in ("web", id_, id_[:12]):
            with pytest.raises(TimeoutError):
                await get(session, f"/containers/{name}/json", seconds=0.05)
        assert (await get(session, "/containers/db/json"))["Name"] == "/db"
        assert await healthy(session)


async def test_delay(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    with engine.faults.delay(0.1):
        before = loop.time()
        await get(session, "/v1.41/info")
        assert loop.time() - before >= 0.1


async def test_refused_connections(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    with engine.faults.refuse(), pytest.raises(aiohttp.ClientConnectionError):
        await get(session, "/info")

    assert await healthy(session)


async def test_an_error_in_the_engine_s_shape(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    with engine.faults.status(500, "disk full", lambda method, path: method == "GET" and path == "/info"):
        async with session.get("/v1.41/info") as answer:
            assert (answer.status, await answer.json()) == (500, {"message": "disk full"})
        assert await healthy(session)


async def test_malformed_json(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    with engine.faults.malformed("/containers/json"):
        async with session.get("/containers/json") as answer:
            data = await answer.read()
        with pytest.raises(UnicodeDecodeError):
            data.decode()
        with pytest.raises(ValueError):
            json.loads(data.decode(errors="replace"))


async def test_wrong_types(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    with engine.faults.wrong_types():
        rows = await get(session, "/containers/json")

    assert isinstance(rows, dict)
    assert rows["0"]["Id"] == 7
    assert isinstance(rows["0"]["Created"], str)


async def test_null_lists(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    with engine.faults.null_lists():
        rows = await get(session, "/containers/json")

    assert [row["Names"] for row in rows] == [None, None]
    assert rows[0]["NetworkSettings"] is None


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda faults: faults.truncate("/info"), id="truncated"),
        pytest.param(lambda faults: faults.content_length(100, "/info"), id="too much announced"),
    ],
)
async def test_bodies_that_end_early(
    engine: EmbeddedEngine, session: aiohttp.ClientSession, fault: Callable[[Faults], Fault]
) -> None:
    with fault(engine.faults), pytest.raises(aiohttp.ClientPayloadError):
        await get(session, "/info")

    assert await healthy(session)


async def test_too_little_announced(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    with engine.faults.content_length(-10, "/info"):
        reader, writer = await asyncio.open_unix_connection(engine.url.removeprefix("unix://"))
        writer.write(b"GET /info HTTP/1.1\r\nHost: engine\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.read()
        writer.close()
        await writer.wait_closed()

    assert f"Content-Length: {len(body) - 10}\r\n".encode() in head
    assert await healthy(session)


async def test_an_endless_line_is_as_fast_as_its_reader(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    with engine.faults.endless_line("/info"):
        async with session.get("/info") as answer:
            received = 0
            while received < 5_000_000:
                received += len(await answer.content.readany())

    assert await healthy(session)


async def test_a_changed_engine_id(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    before = (await get(session, "/info"))["ID"]
    engine.faults.engine_id = "CLONE"

    assert (await get(session, "/info"))["ID"] == "CLONE"
    engine.faults.clear()
    assert (await get(session, "/info"))["ID"] == before


async def test_clear_ends_all(engine: EmbeddedEngine, session: aiohttp.ClientSession) -> None:
    engine.faults.hang()
    engine.faults.status(500, "no")
    engine.faults.duplicate_events()

    engine.faults.clear()

    assert await healthy(session)
    assert engine.faults.events is None


class Stream:
    """What an event stream sends."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def names(self, count: int) -> list[str]:
        """The names in the next events."""
        found = []
        async with asyncio.timeout(5):
            for _ in range(count):
                event = json.loads(await self._answer.content.readline())
                found.append(event["Actor"]["Attributes"]["name"])
        return found

    async def ended(self) -> bool:
        async with asyncio.timeout(5):
            return await self._answer.content.readline() == b""


@pytest.fixture
async def events(session: aiohttp.ClientSession) -> AsyncIterator[Stream]:
    query = {"filters": json.dumps({"type": ["container"], "event": ["create"]})}
    async with session.get("/events", params=query) as answer:
        yield Stream(answer)


async def test_dropped_events_happened_all_the_same(engine: EmbeddedEngine, events: Stream) -> None:
    engine.faults.drop_events(lambda event: event.attributes.get("name") == "unseen")

    engine.create("unseen")
    engine.create("seen")

    assert await events.names(1) == ["seen"]
    assert engine.state.container("unseen").status == "created"


async def test_doubled_events(engine: EmbeddedEngine, events: Stream) -> None:
    engine.faults.duplicate_events()

    engine.create("twice")

    assert await events.names(2) == ["twice", "twice"]


async def test_reordered_events(engine: EmbeddedEngine, events: Stream) -> None:
    engine.faults.reorder_events()

    engine.create("first")
    engine.create("second")

    assert await events.names(2) == ["second", "first"]


async def test_replayed_events(engine: EmbeddedEngine, events: Stream) -> None:
    engine.create("new")
    assert await events.names(1) == ["new"]

    engine.faults.replay_events()

    assert await events.names(3) == ["web", "db", "new"]


async def test_any_change_of_the_events(engine: EmbeddedEngine, events: Stream) -> None:
    def backwards(batch: list[Event]) -> list[Event]:
        return [Event(e.type, e.action, e.actor, {"name": e.attributes["name"].upper()}, 1) for e in batch]

    engine.faults.drop_events(lambda event: event.type != "container")
    engine.faults.events = backwards

    engine.create("shouted")

    assert await events.names(1) == ["SHOUTED"]


async def test_cut_streams_end_and_new_ones_work(
    engine: EmbeddedEngine, session: aiohttp.ClientSession, events: Stream
) -> None:
    engine.faults.close_events()

    assert await events.ended()
    async with session.get("/events?since=1") as again:
        assert json.loads(await again.content.readline())["Action"] == "create"


async def test_a_late_subscription_misses_what_happens_meanwhile(
    engine: EmbeddedEngine, session: aiohttp.ClientSession
) -> None:
    engine.faults.subscribe_delay = 0.05
    query = {"filters": json.dumps({"event": ["create"], "type": ["container"]})}
    async with session.get("/events", params=query) as answer:
        engine.create("missed")
        async with asyncio.timeout(5):
            while not engine.state.events.readers:
                await asyncio.sleep(0.01)
        engine.create("seen")

        assert await Stream(answer).names(1) == ["seen"]


async def test_a_flood_loses_events_as_a_real_engine_does(
    engine: EmbeddedEngine, session: aiohttp.ClientSession
) -> None:
    async with session.get("/events") as answer:
        engine.faults.flood_events(10_000)
        engine.create("after")
        async with asyncio.timeout(5):
            received = [json.loads(await answer.content.readline()) for _ in range(1024)]

    assert {event["Action"] for event in received} == {"exec_die"}
    assert len(engine.state.events.recent) == 256
    assert engine.state.events.recent[-1].attributes["name"] == "after"
