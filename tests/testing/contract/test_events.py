"""Which events an operation makes, in which order."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .api import Subject, actions

STARTED = ["network connect", "container start"]


async def _events(engine: Subject, last: str, *calls: tuple[str, str], kind: str = "container") -> list[str]:
    async with engine.recorded() as recorder:
        for method, path in calls:
            answer = await engine.call(method, path)
            assert answer.status < 300, answer
        return actions(await recorder.until(last, kind))


async def test_create_and_start(engine: Subject) -> None:
    async with engine.recorded() as recorder:
        await engine.run("fresh")
        assert actions(await recorder.until("start")) == ["container create", *STARTED]


@pytest.mark.parametrize(
    ("last", "calls", "expected"),
    [
        ("stop", ["stop?t=0"], ["kill 15", "kill 9", "die 137", "~disconnect", "stop"]),
        (
            "restart",
            ["restart?t=0"],
            ["kill 15", "kill 9", "die 137", "~disconnect", "stop", "~connect", "start", "restart"],
        ),
        ("unpause", ["pause", "unpause"], ["pause", "unpause"]),
        ("rename", ["rename?name=other"], ["rename /subject"]),
        ("kill", ["kill?signal=USR1"], ["kill 10"]),
    ],
)
async def test_operations(engine: Subject, last: str, calls: list[str], expected: list[str]) -> None:
    id_ = await engine.run("subject")

    found = await _events(engine, last, *[("POST", f"/containers/{id_}/{call}") for call in calls])

    assert found == [f"network {e[1:]}" if e[0] == "~" else f"container {e}" for e in expected]


async def test_a_kill_is_followed_by_death_and_disconnection(engine: Subject) -> None:
    id_ = await engine.run("victim")

    found = await _events(engine, "disconnect", ("POST", f"/containers/{id_}/kill"), kind="network")

    assert found == ["container kill 9", "container die 137", "network disconnect"]


async def test_forced_removal_with_an_anonymous_volume(engine: Subject) -> None:
    id_ = await engine.run("doomed", Volumes={"/data": {}})

    found = await _events(engine, "destroy", ("DELETE", f"/containers/{id_}?force=1&v=1"))

    assert found == [
        "container kill 9",
        "container die 137",
        "network disconnect",
        "volume unmount",
        "volume destroy",
        "container destroy",
    ]


async def test_auto_remove(engine: Subject) -> None:
    async with engine.recorded() as recorder:
        await engine.run("brief", "false", HostConfig={"AutoRemove": True})
        found = actions(await recorder.until("destroy"))

    assert found == [
        "container create",
        *STARTED,
        "container die 1",
        "network disconnect",
        "container destroy",
    ]


async def test_stop_of_an_auto_removed_container(engine: Subject) -> None:
    id_ = await engine.run("brief", HostConfig={"AutoRemove": True})

    found = await _events(engine, "destroy", ("POST", f"/containers/{id_}/stop?t=0"))

    assert found == [
        "container kill 15",
        "container kill 9",
        "container die 137",
        "network disconnect",
        "container stop",
        "container destroy",
    ]


async def test_on_failure_restarts_as_often_as_allowed(engine: Subject) -> None:
    policy = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}}
    async with engine.recorded(type=["container"]) as recorder:
        id_ = await engine.run("failing", "sh", "-c", "exit 3", HostConfig=policy)
        found = [event for _ in range(3) for event in await recorder.until("die")]

    assert actions(found) == ["container create", *["container start", "container die 3"] * 3]
    assert (await engine.until(id_, "exited"))["RestartCount"] == 2


async def test_exec_events(engine: Subject) -> None:
    id_ = await engine.run("host")
    async with engine.recorded() as recorder:
        made = await engine.post(f"/containers/{id_}/exec", {"Cmd": ["echo", "a", "b"]})
        await engine.post(f"/exec/{made.body['Id']}/start", {"Detach": True})
        found = await recorder.until("exec_die")

    assert actions(found) == [
        "container exec_create: echo a b",
        "container exec_start: echo a b",
        "container exec_die 0",
    ]
    assert {event["Actor"]["Attributes"]["execID"] for event in found} == {made.body["Id"]}


async def test_a_host_networked_container_connects_to_host(engine: Subject) -> None:
    async with engine.recorded() as recorder:
        await engine.run("hosted", HostConfig={"NetworkMode": "host"})
        found = await recorder.until("start")

    assert actions(found) == ["container create", *STARTED]
    assert found[1]["Actor"]["Attributes"]["type"] == "host"


async def test_the_shape_of_a_container_s_event(engine: Subject) -> None:
    async with engine.recorded(event=["create"], type=["container"]) as recorder:
        id_ = await engine.create("shaped", Labels={"a": "b", "image": "not this"})
        [event] = await recorder.until("create")

    assert sorted(event) == ["Action", "Actor", "Type", "from", "id", "scope", "status", "time", "timeNano"]
    assert event["Actor"] == {"ID": id_, "Attributes": {"a": "b", "image": "busybox", "name": "shaped"}}
    assert (event["status"], event["id"], event["from"], event["scope"]) == (
        "create",
        id_,
        "busybox",
        "local",
    )
    assert event["timeNano"] // 1_000_000_000 == event["time"]


async def test_the_shape_of_a_network_s_event(engine: Subject) -> None:
    async with engine.recorded(type=["network"]) as recorder:
        id_ = await engine.run("joined")
        [event] = await recorder.until("connect", "network")

    assert sorted(event) == ["Action", "Actor", "Type", "scope", "time", "timeNano"]
    assert event["Actor"]["Attributes"] == {"container": id_, "name": "bridge", "type": "bridge"}


async def test_since_and_until_give_the_remembered_events(engine: Subject) -> None:
    async with engine.recorded(type=["container"]) as recorder:
        id_ = await engine.run("remembered")
        await engine.post(f"/containers/{id_}/kill")
        created, *_, died = await recorder.until("die")

    async def past(since: int, until: int) -> list[str]:
        query = {
            "since": _seconds(since),
            "until": _seconds(until),
            "filters": json.dumps({"container": [id_]}),
        }
        answer = await engine.get("/events", **query)
        lines = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        return actions([json.loads(line) for line in lines.splitlines()])

    whole = ["container create", "container start", "container kill 9", "container die 137"]
    assert await past(created["timeNano"], died["timeNano"]) == whole
    assert await past(created["timeNano"] + 1, died["timeNano"]) == whole[1:]
    assert await past(created["timeNano"], died["timeNano"] - 1) == whole[:-1]


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09d}"


async def test_the_stream_begins_before_anything_happens(engine: Subject) -> None:
    """The headers come at once, so that a client that has them misses nothing from then on."""
    async with engine.recorded(type=["container"]) as recorder:
        await engine.create("first")
        assert actions(await recorder.until("create")) == ["container create"]


async def test_filters_by_label_and_name(engine: Subject) -> None:
    filters: dict[str, Any] = {"label": ["wanted=yes"], "event": ["create"]}
    async with engine.recorded(**filters) as recorder:
        await engine.create("unwanted", Labels={"wanted": "no"})
        await engine.create("wanted", Labels={"wanted": "yes"})
        [event] = await recorder.until("create")

    assert event["Actor"]["Attributes"]["name"] == "wanted"
