"""A node that does not answer: what is known of it is still told, changes are refused at once, nobody waits for it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest


@pytest.fixture
async def api(api: Any) -> Any:
    """n2 has gone, with a container of each kind."""
    engine = api.engines["n2"]
    engine.run("web", "nginx", ports={"80/tcp": 8080}, labels={"a": "b"}, env={"A": "B"}, health="healthy")
    engine.create("idle")
    api.engines["n1"].run("here")
    await until(lambda: len(list(api.agent.cluster.state.containers())) == 3)
    await engine.stop()
    await until(lambda: not api.agent.cluster.state.get_node("n2").node.is_healthy)
    return api


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_its_containers_are_listed_as_host_down(api: Any) -> None:
    _, rows = await api.call("GET", "/containers/json")
    assert [row["Names"] for row in rows] == [["/n1/here"]]
    _, rows = await api.call("GET", "/containers/json?all=1")
    found = {row["Names"][0]: (row["State"], row["Status"]) for row in rows}
    assert found["/n2/web"] == ("running", "Host Down")
    assert found["/n2/idle"] == ("created", "Host Down")
    assert found["/n1/here"][1].startswith("Up")


async def test_inspect_tells_what_was_known(api: Any) -> None:
    status, found = await api.call("GET", "/containers/web/json")
    assert status == 200
    assert (found["Name"], found["State"]["Status"], found["State"]["Health"]) == (
        "/web",
        "running",
        {"Status": "healthy"},
    )
    assert found["Config"]["Env"][0] == "A=B"
    assert found["NetworkSettings"]["Ports"]["80/tcp"][0] == {"HostIp": "127.0.0.1", "HostPort": "8080"}
    assert (found["Node"]["Name"], bool(found["Node"]["Error"])) == ("n2", True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/containers/web/stop"),
        ("POST", "/containers/web/kill"),
        ("POST", "/containers/idle/start"),
        ("POST", "/containers/web/rename?name=other"),
        ("DELETE", "/containers/web?force=1"),
        ("POST", "/containers/web/exec"),
        ("POST", "/containers/web/attach"),
        ("GET", "/containers/web/logs?stdout=1"),
        ("GET", "/containers/web/top"),
    ],
)
async def test_all_else_is_refused_at_once(api: Any, method: str, path: str) -> None:
    started = time.monotonic()
    status, answer = await api.call(method, path, json={"Cmd": ["true"]})
    assert time.monotonic() - started < 0.5
    assert status == 503
    assert "node n2" in answer["message"]
    assert api.agent.cluster.state.get_node("n2").node.error in answer["message"]


async def test_prune_goes_over_the_others(api: Any) -> None:
    assert (await api.call("POST", "/containers/prune")) == (200, {"ContainersDeleted": None, "SpaceReclaimed": 0})


async def test_a_call_under_way_ends_when_the_node_stops_answering(serving: Any) -> None:
    async with serving("n1", "n2") as api:
        engine = api.engines["n1"]
        engine.run("web")
        await until(lambda: api.agent.cluster.state.named("web"))
        with engine.faults.hang():
            call = asyncio.create_task(api.call("POST", "/containers/web/stop"))
            async with asyncio.timeout(15):
                status, answer = await call
        assert status == 503
        assert answer["message"].startswith("stop web: node n1 stopped answering")
