"""What plugins are asked about each request, and that engines get what was allowed, and not the bytes that came."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skep import ApiAnswered, ApiRequest, Plugin, RequestError
from skep.testing import EmbeddedEngine
from skep.testing.embedded.faults import Fault

Serving = Callable[..., AbstractAsyncContextManager[Any]]


class Judge(Plugin):
    """Notes what it is asked and told; `decide` may change or refuse."""

    name = "judge"

    def __init__(self, decide: Callable[[ApiRequest], ApiRequest | None] = lambda request: None) -> None:
        super().__init__()
        self.decide = decide
        self.asked: list[ApiRequest] = []
        self.told: list[ApiAnswered] = []

    async def api_request(self, request: ApiRequest) -> ApiRequest | None:
        self.asked.append(request)
        return self.decide(request)

    async def api_answered(self, answered: ApiAnswered) -> None:
        self.told.append(answered)


async def test_a_request_is_read_once_and_its_container_is_known(serving: Serving) -> None:
    judge = Judge()
    async with serving("n1", plugins=[judge]) as api:
        container = api.engines["n1"].run("web", labels={"tenant": "a"})
        await until_known(api, 1)
        status, _ = await api.call("POST", "/v1.41/containers/web/kill?signal=HUP&signal=USR1")
        assert status == 204
        (asked,) = [each for each in judge.asked if each.method == "POST"]
        assert (asked.path, asked.version, asked.node) == (f"/containers/{container}/kill", "1.41", "n1")
        assert asked.query == {"signal": ("HUP", "USR1")}
        assert asked.target is not None
        assert asked.target.name == "web"
        assert asked.body is None
        assert asked.client.address == "127.0.0.1"
        assert asked.client.listener == api.url
        (told,) = [each for each in judge.told if each.request is asked]
        assert (told.status, told.error, told.node) == (204, "", "n1")


async def test_an_engine_gets_what_was_allowed(serving: Serving) -> None:
    def decide(request: ApiRequest) -> ApiRequest | None:
        return replace(request, body={"Cmd": ["true"], "User": "1000"}) if request.path.endswith("/exec") else None

    async with serving("n1", plugins=[Judge(decide)]) as api:
        api.engines["n1"].run("web")
        await until_known(api, 1)
        seen = recorder(api.engines["n1"])
        body = b'{"Cmd": ["sh"], "Privileged": true}'
        async with api.session.post("/containers/web/exec", data=body) as response:
            assert response.status == 201
        assert [json.loads(body) for _, path, body in seen if path.endswith("/exec")] == [
            {"Cmd": ["true"], "User": "1000"}
        ]


async def test_a_refusal_reaches_client_and_note_and_no_engine(serving: Serving) -> None:
    def decide(request: ApiRequest) -> ApiRequest | None:
        if request.method == "POST":
            raise RequestError("not you", status=403)
        return None

    judge = Judge(decide)
    async with serving("n1", plugins=[judge]) as api:
        seen = recorder(api.engines["n1"])
        assert await api.call("POST", "/containers/create?name=x", json={"Image": "busybox"}) == (
            403,
            {"message": "not you"},
        )
        assert [(each.status, each.error) for each in judge.told] == [(403, "not you")]
        assert not [method for method, _, _ in seen if method == "POST"]


@pytest.mark.parametrize("way", ["raise", "hang", "nonsense"])
async def test_a_plugin_that_fails_lets_nothing_through(serving: Serving, way: str) -> None:
    class Broken(Plugin):
        name = "broken"

        async def api_request(self, request: ApiRequest) -> ApiRequest | None:
            if way == "hang":
                await asyncio.Event().wait()
            if way == "nonsense":
                return 5  # type: ignore[return-value]
            raise ValueError("oh")

    async with serving("n1", plugins=[Broken()], tables={"broken": {"timeout": 0.2}}) as api:
        status, told = await api.call("GET", "/containers/json")
        assert status == 503
        assert "plugin broken failed in api_request" in told["message"]


async def test_what_was_created_is_told_with_its_node(serving: Serving) -> None:
    judge = Judge()
    async with serving("n1", "n2", plugins=[judge]) as api:
        _, created = await api.call("POST", "/containers/create?name=box", json={"Image": "busybox", "env": ["A=1"]})
        assert "Id" in created, created
        (told,) = judge.told
        assert (told.status, told.created) == (201, created["Id"])
        assert told.node in ("n1", "n2")


async def test_lists_events_and_inspections_show_what_may_be_seen(serving: Serving) -> None:
    def decide(request: ApiRequest) -> ApiRequest:
        return replace(request, visible=lambda labels: labels.get("tenant") == "a", hides_env=True)

    async with serving("n1", "n2", plugins=[Judge(decide)]) as api:
        api.engines["n1"].run("mine", labels={"tenant": "a"}, env=["SECRET=x"])
        api.engines["n2"].run("other", labels={"tenant": "b"})
        await until_known(api, 2)
        _, rows = await api.call("GET", "/containers/json?all=1")
        assert [row["Names"] for row in rows] == [["/n1/mine"]]
        _, volumes = await api.call("GET", "/volumes")
        _, networks = await api.call("GET", "/networks")
        assert (volumes["Volumes"], networks) == ([], [])
        async with api.session.get(f"/events?since=1&until={time.time():.3f}") as response:
            told = await response.text()
        assert {json.loads(line)["Actor"]["Attributes"]["name"] for line in told.splitlines()} == {"mine"}
        _, shown = await api.call("GET", "/containers/mine/json")
        assert "SECRET=***" in shown["Config"]["Env"]
        assert "SECRET=x" not in json.dumps(shown)


async def test_the_kernel_tells_who_is_behind_a_socket(serving: Serving, tmp_path: Path) -> None:
    judge, path = Judge(), tmp_path / "docker.sock"
    async with serving("n1", plugins=[judge], settings={"listen": (f"unix://{path}",)}):
        session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)))
        async with session:
            await session.get("http://docker/_ping")
    client = judge.asked[0].client
    assert (client.uid, client.gid, client.pid) == (os.getuid(), os.getgid(), os.getpid())
    assert client.listener == f"unix://{path}"
    assert str(client) == f"uid:{os.getuid()}"


def recorder(engine: EmbeddedEngine) -> list[tuple[str, str, bytes]]:
    """What the engine gets from now on: method, path with its query, body."""
    seen: list[tuple[str, str, bytes]] = []

    class Recorder(Fault):
        async def before(self, call: Any) -> None:
            seen.append((call.request.method, str(call.request.rel_url), await call.request.read()))

    engine.faults.active.add(Recorder(engine.faults, None))
    return seen


async def until_known(api: Any, number: int) -> None:
    async with asyncio.timeout(5):
        while len(list(api.agent.cluster.state.containers())) < number:
            await asyncio.sleep(0.01)
