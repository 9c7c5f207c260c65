"""The README's table of endpoints: each route is in it, and asks the nodes that it says."""

from __future__ import annotations

import asyncio
import importlib
import re
from pathlib import Path
from typing import Any

import pytest

import skep_docker_api
from skep_docker_api.routing import _SUBJECTS

ROW = re.compile(r"\| (\w+) `(/\S*)` \| ([\w ]+?) \|")
TABLE = ROW.findall((Path(skep_docker_api.__file__).with_name("README.md")).read_text())
NODES: dict[str, set[str]] = {
    "state": set(),
    "not here": set(),
    "nowhere": set(),
    "its node": {"n2"},
    "chosen node": {"n1"},
    "any node": {"n1"},
    "one that has it": {"n1"},
    "all that have it": {"n1", "n2"},
    "all nodes": {"n1", "n2"},
}
# What stands for the names in paths; all of it is on n2, but for the image, which is on both.
EXAMPLES = {"{ref}": "box", "{id}": "EXEC", "/{path}": "/box/checkpoints"}
NAMES = {"images": "redis", "distribution": "redis", "networks": "back", "volumes": "data"}
QUERIES = {
    "/images/create": "?fromImage=app&tag=1",
    "/images/get": "?names=redis",
    "/images/{name}/tag": "?repo=app&tag=1",
    "/commit": "?container=box&repo=made",
    "/build/cancel": "?id=B",
    "/containers/{ref}/logs": "?stdout=1",
    "/containers/{ref}/stats": "?stream=0",
    "/containers/{ref}/archive": "?path=/",
    "/containers/{ref}/rename": "?name=other",
}
BODIES: dict[str, dict[str, Any]] = {
    "/containers/create": {"Image": "busybox"},
    "/containers/{ref}/exec": {"Cmd": ["true"]},
    "/exec/{id}/start": {"Detach": True},
    "/networks/create": {"Name": "net"},
    "/networks/{name}/connect": {"Container": "box"},
    "/networks/{name}/disconnect": {"Container": "box"},
    "/volumes/create": {"Name": "vol"},
}
READ_ANYWAY = re.compile(r"/(containers/json|images/json|info|version|events|networks|volumes|_ping)")


def _routes() -> set[tuple[str, str]]:
    found = set()
    for subject in _SUBJECTS:
        for method, path, _ in importlib.import_module(f"skep_docker_api.api.{subject}").ROUTES:
            plain = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)
            found.add(("any" if method == "*" else method, plain.removesuffix("/{rest}")))
    return found


def test_each_route_is_in_the_table_and_each_row_is_a_route() -> None:
    assert {(method, path) for method, path, _ in TABLE} == _routes()
    assert {treated for _, _, treated in TABLE} == set(NODES)


@pytest.fixture
async def filled(api: Any) -> Any:
    """A container, an exec, a network, a volume on n2, a build there too; and a container on n2 alone, so that n1 is chosen."""
    api.engines["n2"].run("box", command="sleep 100")
    engine = api.agent.cluster.engine("n2")
    await engine.call("POST", "/networks/create", json={"Name": "back"})
    await engine.call("POST", "/volumes/create", json={"Name": "data"})
    member = api.agent.cluster.member("n2")
    await member.refresh_networks()
    await member.refresh_volumes()
    async with asyncio.timeout(10):
        while not any(each.state.is_up for each in api.agent.cluster.state.named("box")):
            await asyncio.sleep(0.01)
    _, made = await api.call("POST", "/containers/box/exec", json={"Cmd": ["true"]})
    EXAMPLES["{id}"] = made["Id"]
    api.plugin.build_places.put("n2", "B", "S")
    return api


def _example(path: str) -> str:
    shown = path
    for name, value in EXAMPLES.items():
        shown = shown.replace(name, value, 1)
    return shown.replace("{name}", NAMES.get(path.split("/")[1], "")) + QUERIES.get(path, "")


@pytest.mark.parametrize(("method", "path", "treated"), TABLE, ids=[f"{m} {p}" for m, p, _ in TABLE])
async def test_each_endpoint_asks_the_nodes_that_the_table_says(
    filled: Any, method: str, path: str, treated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[str] = set()
    method = "POST" if method == "any" else method
    target = "/nowhere" if path == "/{path}" else _example(path)
    last = target.partition("?")[0].rpartition("/")[2]
    by_id = re.compile(r"/(containers|networks)/[0-9a-f]{64}" if last in ("box", "back") else "^$")

    def record(name: str, met: Any) -> Any:
        def recorded(verb: str, engine_path: str) -> Any:
            mine = verb == method and (engine_path.endswith(f"/{last}") or by_id.fullmatch(engine_path) is not None)
            if mine and not READ_ANYWAY.fullmatch(engine_path):
                asked.add(name)
            return met(verb, engine_path)

        return recorded

    for name, engine in filled.engines.items():
        monkeypatch.setattr(engine.faults, "met", record(name, engine.faults.met))
        if treated == "state":
            engine.faults.hang(lambda verb, engine_path: True)
    headers = {"X-Docker-Expose-Session-Uuid": "S"} if path == "/session" else {}
    options: dict[str, Any] = {"json": BODIES[path]} if path in BODIES else {}
    async with (
        asyncio.timeout(10),
        filled.session.request(method, f"/v1.41{target}", headers=headers, **options) as response,
    ):
        status = response.status
        if not path.endswith(("/attach", "/wait", "/events")):
            await response.read()
    assert asked == NODES[treated], status
    assert (status == 501) is (treated == "not here")
    assert (status == 200) or treated != "state"
