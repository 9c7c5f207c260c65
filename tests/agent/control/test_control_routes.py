"""What a running agent tells of itself."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from skep.testing import EmbeddedEngine

CREATE = {"Image": "busybox", "Env": ["constraint:public==yes"]}


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_nodes(serve: Any) -> None:
    served = await serve()
    served.engines[0].run("web", memory=8 * 2**20)
    await until(lambda: served.agent.cluster.state.named("web"))
    status, nodes = await served.ask("GET", "/nodes")
    assert status == 200
    assert [(node["name"], node["status"]) for node in nodes] == [("one", "healthy"), ("two", "healthy")]
    assert nodes[0]["labels"]["public"] == "yes"
    assert nodes[0]["containers"] == {"total": 1, "running": 1, "paused": 0, "stopped": 0}
    assert nodes[0]["reserved_memory"] == 8 * 2**20
    assert nodes[0]["cpus"] == 4  # 5 % more than 4 is no whole CPU more: as placement counts


async def test_containers_and_no_secrets(serve: Any) -> None:
    served = await serve()
    served.engines[0].run("web", "nginx", env={"PASSWORD": "hunter2"}, ports={"80/tcp": "8080"})
    served.engines[1].create("idle")
    await until(lambda: served.agent.cluster.state.named("web") and served.agent.cluster.state.named("idle"))
    _, up = await served.ask("GET", "/containers")
    assert [(each["node"], each["name"], each["state"]) for each in up] == [("one", "web", "running")]
    assert {"private": 80, "protocol": "tcp", "public": 8080, "ip": "0.0.0.0"} in up[0]["ports"]
    _, every = await served.ask("GET", "/containers?all=1")
    assert [each["name"] for each in every] == ["web", "idle"]
    assert "hunter2" not in json.dumps(every)
    assert (await served.ask("GET", "/containers?all=perhaps"))[0] == 400


async def test_where_a_container_would_go_and_nothing_is_created(serve: Any) -> None:
    served = await serve()
    status, answer = await served.ask("POST", "/explain?name=web2", json=CREATE)
    assert (status, answer.get("chosen"), answer.get("relaxed")) == (200, "one", False), answer
    assert [(row["node"], row["chosen"], row["refused_by"]) for row in answer["nodes"]] == [
        ("one", True, ""),
        ("two", False, "constraint"),
    ]
    assert not list(served.agent.cluster.state.containers())


async def test_why_nothing_fits(serve: Any) -> None:
    served = await serve()
    status, answer = await served.ask("POST", "/explain", json={"Image": "x", "Env": ["constraint:public==no"]})
    assert (status, answer["chosen"]) == (200, None)
    assert answer["message"]
    assert all(row["refused_by"] == "constraint" and row["reason"] for row in answer["nodes"])


async def test_wishes_that_cannot_be_kept_are_told(serve: Any) -> None:
    served = await serve()
    _, answer = await served.ask("POST", "/explain", json={"Image": "x", "Env": ["constraint:public==~never"]})
    assert answer["relaxed"]
    assert answer["chosen"]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"[" * 100_000, b'{"Image": 1}', b'{"Image": "x", "Env": ["constraint:public"]}'],
)
async def test_bad_bodies_are_named(serve: Any, body: bytes) -> None:
    served = await serve()
    status, answer = await served.ask("POST", "/explain", data=body)
    assert status == 400
    assert answer["message"]


async def test_a_taken_name_is_a_conflict(serve: Any) -> None:
    served = await serve()
    served.engines[0].run("web")
    await until(lambda: served.agent.cluster.state.named("web"))
    assert (await served.ask("POST", "/explain?name=web", json=CREATE))[0] == 409


async def test_health_follows_the_nodes(serve: Any) -> None:
    served = await serve()
    status, answer = await served.ask("GET", "/health")
    assert (status, answer["healthy"], answer["nodes"]["total"]) == (200, True, 2)
    engine: EmbeddedEngine = served.engines[1]
    await engine.stop()
    await until(lambda: not served.agent.cluster.state.get_node("two").node.is_healthy)
    status, answer = await served.ask("GET", "/health")
    assert (status, answer["healthy"], answer["nodes"]["unhealthy"]) == (503, False, ["two"])


async def test_events_come_as_lines(serve: Any) -> None:
    served = await serve()
    async with served.session.get(served.url + "/events") as response, asyncio.timeout(20):
        served.engines[0].run("web")
        seen: list[dict[str, Any]] = []
        while not any(event["event"] == "container_started" for event in seen):
            seen.append(json.loads(await response.content.readline()))
    assert {(event["node"], event["container"]) for event in seen} == {("one", "web")}


@pytest.mark.parametrize("path", ["/nodes", "/metrics", "/events", "/v1/clusters"])
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "evil.example:7070"}, {"Host": ""}],
)
async def test_a_browser_is_refused_everywhere(serve: Any, path: str, headers: dict[str, str]) -> None:
    served = await serve()
    assert (await served.ask("GET", path, headers=headers))[0] in (400, 403)


async def test_a_check_in_old_http_may_ask(serve: Any) -> None:
    served = await serve()
    reader, writer = await asyncio.open_connection(*served.url.removeprefix("http://").split(":"))
    writer.write(b"GET /health HTTP/1.0\r\n\r\n")
    assert b" 200 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:7070", "10.1.2.3", "agent.example:7070"])
async def test_programs_may_ask(serve: Any, host: str) -> None:
    served = await serve(hosts=("agent.example",))
    assert (await served.ask("GET", "/nodes", headers={"Host": host}))[0] == 200


async def test_an_unknown_path_is_a_json_error(serve: Any) -> None:
    served = await serve()
    status, answer = await served.ask("GET", "/nonsense")
    assert status == 404
    assert answer["message"]
