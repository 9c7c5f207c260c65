"""`GET /events`: all nodes' events with their nodes, from the past and as they come."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from skep import NodeStatus, TemporaryError
from skep_docker_api.event_filters import event_filter
from skep_docker_api.event_log import EventLog, MergedEvent

Serving = Callable[..., AbstractAsyncContextManager[Any]]


class Stream:
    """The events of one request, one by one."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            line = await self.response.content.readline()
        assert line.endswith(b"\n")
        found: dict[str, Any] = json.loads(line)
        return found

    async def until(self, action: str) -> dict[str, Any]:
        while (event := await self.next())["Action"] != action:
            pass
        return event


@asynccontextmanager
async def listening(api: Any, **params: str) -> AsyncIterator[Stream]:
    before = api.plugin.event_log.listeners
    async with api.session.get("/v1.41/events", params=params) as response:
        assert response.status == 200, await response.text()
        async with asyncio.timeout(5):
            while api.plugin.event_log.listeners == before:
                await asyncio.sleep(0)
        yield Stream(response)


async def past(api: Any, **params: str) -> list[dict[str, Any]]:
    params = {"since": "0", "until": f"{time.time():.9f}", **params}
    async with asyncio.timeout(5), api.session.get("/events", params=params) as response:
        assert response.status == 200, await response.text()
        return [json.loads(line) for line in (await response.text()).splitlines()]


def filters(**values: list[str]) -> str:
    return json.dumps(values)


async def test_an_event_names_its_node(api: Any) -> None:
    async with listening(api) as stream:
        id_ = api.engines["n2"].run("web", labels={"tier": "front"})
        event = await stream.until("start")
    node = api.agent.cluster.state.get_node("n2").node
    address = api.engines["n2"].url.removeprefix("tcp://")
    assert event["id"] == event["Actor"]["ID"] == id_
    assert event["from"] == "busybox:latest node:n2"
    assert (event["Type"], event["status"], event["scope"]) == ("container", "start", "local")
    attributes = event["Actor"]["Attributes"]
    assert attributes["name"] == "web"
    assert attributes["tier"] == "front"
    assert [attributes[f"node.{key}"] for key in ("name", "id", "addr", "ip")] == ["n2", node.id, address, node.ip]
    assert event["node"] == {"Name": "n2", "Id": node.id, "Addr": address, "Ip": node.ip}


async def test_the_state_knows_of_an_event_before_it_is_told(api: Any) -> None:
    async with listening(api, filters=filters(event=["start", "die"])) as stream:
        id_ = api.engines["n1"].run("web")
        for action, status in (("start", "running"), ("die", "exited")):
            assert (await stream.next())["Action"] == action
            assert (await api.call("GET", f"/containers/{id_}/json"))[1]["State"]["Status"] == status
            assert api.agent.cluster.state.get_node("n1").containers[id_].state == status
            if action == "start":
                api.engines["n1"].die(id_)


async def test_all_nodes_come_in_one_stream(api: Any) -> None:
    async with listening(api, filters=filters(event=["create"], type=["container"])) as stream:
        for name in ("n1", "n2", "n1"):
            api.engines[name].create()
            assert (await stream.next())["Actor"]["Attributes"]["node.name"] == name


async def test_past_events_are_merged_in_the_order_of_time(api: Any) -> None:
    for number, name in enumerate(("n1", "n2", "n1", "n2")):
        api.engines[name].create(f"c{number}")
    found = await past(api, filters=filters(event=["create"], type=["container"]))
    assert [event["Actor"]["Attributes"]["name"] for event in found] == ["c0", "c1", "c2", "c3"]
    times = [event["timeNano"] for event in found]
    assert times == sorted(times)


async def test_what_happened_before_the_manager_started_is_asked_of_the_engines(serving: Serving) -> None:
    async with serving("n1", "n2") as api:
        log = EventLog(api.agent)  # one that has just begun
        api.engines["n1"].create("old")
        api.engines["n2"].create("older")
        found = await log.past(0, time.time_ns())
        assert {event.value["Actor"]["Attributes"]["node.name"] for event in found} == {"n1", "n2"}
        with api.engines["n2"].faults.status(500, "no memory", "/events"):
            found = await log.past(0, time.time_ns())
        assert {event.value["Actor"]["Attributes"]["node.name"] for event in found} == {"n1"}


async def test_since_and_until_take_fractions(api: Any) -> None:
    api.engines["n1"].create("first")
    everything = await past(api, filters=filters(event=["create"], type=["container"]))
    moment = everything[-1]["timeNano"]
    api.engines["n1"].create("second")
    exact = f"{moment // 10**9}.{moment % 10**9:09d}"
    later = f"{(moment + 1) // 10**9}.{(moment + 1) % 10**9:09d}"
    kinds = filters(event=["create"], type=["container"])
    names = [
        [e["Actor"]["Attributes"]["name"] for e in await past(api, filters=kinds, since=s)] for s in (exact, later)
    ]
    assert names == [["first", "second"], ["second"]]
    until = [e["Actor"]["Attributes"]["name"] for e in await past(api, filters=kinds, until=exact)]
    assert until == ["first"]


async def test_the_past_goes_over_into_the_present_without_gap_or_double(api: Any) -> None:
    api.engines["n1"].create("c0")
    async with listening(api, since="0", filters=filters(event=["create"], type=["container"])) as stream:
        for number in range(1, 20):
            api.engines["n1"].create(f"c{number}")
        names = [(await stream.next())["Actor"]["Attributes"]["name"] for _ in range(20)]
    assert names == [f"c{number}" for number in range(20)]


async def test_until_ends_a_stream_that_waits(api: Any) -> None:
    async with asyncio.timeout(5):
        async with api.session.get("/events", params={"until": f"{time.time() + 0.2:.3f}"}) as response:
            await response.read()
    assert api.plugin.event_log.listeners == 0


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"since": "yesterday"}, "invalid value 'yesterday' for since: expected seconds since 1970"),
        ({"until": "-1"}, "invalid value '-1' for until"),
        ({"until": "2026-99-01T00:00:00Z"}, "invalid value '2026-99-01T00:00:00Z' for until"),
        ({"since": "20", "until": "10"}, "`since` time (20) cannot be after `until` time (10)"),
        ({"filters": "["}, "invalid filters"),
    ],
)
async def test_nonsense_is_refused(api: Any, params: dict[str, str], text: str) -> None:
    status, body = await api.call("GET", "/events", params=params)
    assert status == 400
    assert text in body["message"]


async def test_nodes_that_go_and_come_make_events(api: Any) -> None:
    async with listening(api, filters=filters(type=["swarm"])) as stream:
        await api.engines["n2"].stop()
        gone = await stream.next()
        await api.engines["n2"].start()
        back = await stream.next()
    for event, action in ((gone, "engine_disconnect"), (back, "engine_reconnect")):
        assert (event["Action"], event["status"], event["from"]) == (action, action, "swarm node:n2")
        assert event["Actor"]["Attributes"]["node.name"] == "n2"


async def test_the_log_remembers_the_last_thousand(api: Any) -> None:
    api.engines["n1"].faults.flood_events(900)
    api.engines["n2"].faults.flood_events(900)
    log = api.plugin.event_log
    async with asyncio.timeout(10):
        while len(log._recent) < 1000:
            await asyncio.sleep(0)
    assert len(log._recent) == 1000


async def test_a_reader_with_too_many_waiting_is_cut_off(api: Any) -> None:
    log = api.plugin.event_log
    with log.reading() as reader:
        for number in range(10_001):
            log._add(MergedEvent(number, (number,), {}))
        with pytest.raises(TemporaryError, match="10000 events waited"):
            await anext(aiter(reader))
    assert log.listeners == 0


async def test_a_client_that_does_not_read_is_cut_off(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skep_docker_api.api.events._TO_TAKE", 0.2)
    log, (host, port) = api.plugin.event_log, api.url.removeprefix("tcp://").split(":")
    reader, writer = await asyncio.open_connection(host, port, limit=1024)
    writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(5):
        while not log.listeners:
            await asyncio.sleep(0.01)
        for number in range(300):
            log._add(MergedEvent(number, (number,), {"padding": "x" * 100_000}))
        while log.listeners:
            await asyncio.sleep(0.01)
        with suppress(ConnectionError):
            while await reader.read(2**20):
                pass
    writer.close()


async def test_streams_end_with_the_endpoint(serving: Serving) -> None:
    async with serving("n1") as api, listening(api) as stream:
        started = time.monotonic()
        await api.plugin.__aexit__(None, None, None)
        assert time.monotonic() - started < 2
        assert await stream.response.content.read() == b""


async def test_one_that_is_down_does_not_hold_up_the_past(api: Any) -> None:
    state = api.agent.cluster.state
    state.put_node(replace(state.get_node("n2").node, status=NodeStatus.UNHEALTHY))
    api.engines["n1"].create("here")
    names = [event["Actor"]["Attributes"].get("name") for event in await past(api)]
    assert "here" in names


CONTAINER = {
    "Type": "container",
    "Action": "exec_create: sh",
    "scope": "local",
    "Actor": {
        "ID": "abcdef",
        "Attributes": {"name": "web-1", "image": "nginx:1.25", "tier": "front", "node.name": "n1", "node.id": "N:1"},
    },
}
IMAGE = {"Type": "image", "Action": "pull", "Actor": {"ID": "nginx:1.25", "Attributes": {"name": "nginx"}}}


@pytest.mark.parametrize(
    ("wanted", "container", "image"),
    [
        ({}, True, True),
        ({"type": ["container"]}, True, False),
        ({"type": ["container", "image"]}, True, True),
        ({"event": ["exec_create"]}, True, False),
        ({"event": ["exec_create: sh"]}, True, False),
        ({"event": ["exec"]}, False, False),
        ({"container": ["abc"]}, True, False),
        ({"container": ["web-1"]}, True, False),
        ({"container": ["n1/web-1"]}, True, False),
        ({"container": ["n2/web-1"]}, False, False),
        ({"container": ["other", "web"]}, True, False),
        ({"image": ["nginx"]}, True, True),
        ({"image": ["nginx:1.25"]}, True, True),
        ({"image": ["ngin"]}, False, False),
        ({"label": ["tier"]}, True, False),
        ({"label": ["tier=front", "node.name=n1"]}, True, False),
        ({"label": ["tier=front", "other"]}, False, False),
        ({"network": ["web-1"]}, False, False),
        ({"scope": ["local"]}, True, True),
        ({"scope": ["swarm"]}, False, False),
        ({"node": ["n1"]}, True, False),
        ({"node": ["N:1"]}, True, False),
        ({"unheard-of": ["x"]}, True, True),
    ],
)
def test_filters_are_the_engines(wanted: dict[str, list[str]], container: bool, image: bool) -> None:
    fits = event_filter(wanted)
    assert (fits(CONTAINER), fits(IMAGE)) == (container, image)
