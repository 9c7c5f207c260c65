"""Volumes of all nodes: `node/name`, or a bare name where that is enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest

from skep import NodeStatus, Volume

Serving = Callable[..., AbstractAsyncContextManager[Any]]


async def create(api: Any, name: str, **body: Any) -> dict[str, Any]:
    status, answer = await api.call("POST", "/v1.41/volumes/create", json={"Name": name, **body})
    assert status == 201, answer
    assert isinstance(answer, dict)
    return answer


async def names(api: Any, **filters: list[str]) -> list[str]:
    status, found = await api.call("GET", "/volumes", params={"filters": json.dumps(filters)})
    assert status == 200, found
    assert found["Warnings"] is None
    return [row["Name"] for row in found["Volumes"]]


async def test_a_volume_is_made_where_it_is_asked_for(api: Any) -> None:
    made = await create(api, "n2/data", Labels={"a": "b"})
    assert (made["Name"], made["Labels"]) == ("data", {"a": "b"})
    assert list(api.engines["n2"].state.volumes) == ["data"]
    assert await names(api) == ["n2/data"]
    for name in ("data", "n2/data", "n2%2Fdata"):
        status, told = await api.call("GET", f"/volumes/{name}")
        assert (status, told["Name"]) == (200, "data")


async def test_one_node_is_listed_as_an_engine_does(serving: Serving) -> None:
    async with serving("n1") as api:
        await create(api, "data")
        assert await names(api) == ["data"]


async def test_a_volume_without_a_node_goes_where_a_container_would_and_stays(api: Any) -> None:
    container = api.engines["n1"].run("aa")
    await api.agent.cluster.refresh_container("n1", container)
    await create(api, "data")
    assert await names(api) == ["n2/data"]
    api.engines["n1"].remove(container, force=True)
    await api.agent.cluster.refresh_container("n1", container)
    await create(api, "data")
    assert await names(api) == ["n2/data"]
    made = await create(api, "")
    assert len(made["Name"]) == 64


async def test_a_name_of_several_is_not_guessed(api: Any) -> None:
    await create(api, "n1/data")
    await create(api, "n2/data")
    for method, path, body in (
        ("GET", "/volumes/data", None),
        ("DELETE", "/volumes/data", None),
        ("POST", "/volumes/create", {"Name": "data"}),
    ):
        status, answer = await api.call(method, path, json=body)
        assert status == 409
        assert "n1/data, n2/data" in answer["message"]
    assert (await api.call("DELETE", "/volumes/n1/data"))[0] == 204
    assert await names(api) == ["n2/data"]


async def test_a_volume_of_a_shared_driver_is_listed_once(api: Any) -> None:
    row = b'{"Name":"shared","Driver":"nfs","Scope":"global"}'
    for node in ("n1", "n2"):
        api.agent.cluster.state.put_volumes(node, [Volume("shared", "nfs", "global", "", {}, row)])
    assert await names(api) == ["shared"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"name": ["dat"]}, ["n1/data", "n2/database"]),
        ({"name": ["^data$"]}, ["n1/data"]),
        ({"label": ["a=b"]}, ["n1/data"]),
        ({"driver": ["nfs"]}, []),
        ({"node": ["n2"]}, ["n2/database", "n2/used"]),
        ({"dangling": ["true"]}, ["n1/data", "n2/database"]),
        ({"dangling": ["0"]}, ["n2/used"]),
    ],
)
async def test_filters_of_the_list(api: Any, filters: dict[str, list[str]], found: list[str]) -> None:
    await create(api, "n1/data", Labels={"a": "b"})
    await create(api, "n2/database")
    await create(api, "n2/used")
    await api.agent.cluster.refresh_container("n2", api.engines["n2"].run("db", Binds=["used:/data"]))
    assert await names(api, **filters) == found


async def test_remove(api: Any) -> None:
    await create(api, "n2/used")
    await api.agent.cluster.refresh_container("n2", api.engines["n2"].run("db", Binds=["used:/data"]))
    status, answer = await api.call("DELETE", "/volumes/used")
    assert status == 409
    assert "volume is in use" in answer["message"]
    assert (await api.call("DELETE", "/volumes/none"))[0] == 404
    assert (await api.call("DELETE", "/volumes/none?force=1"))[0] == 204


async def test_prune_adds_up(api: Any) -> None:
    await create(api, "n1/data")
    await create(api, "n2/data")
    status, report = await api.call("POST", "/volumes/prune")
    assert (status, report) == (200, {"VolumesDeleted": ["n1/data", "n2/data"], "SpaceReclaimed": 0})
    assert await names(api) == []


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"Name": 7}, 400, "expected a text"),
        ({"Name": "n9/data"}, 404, "No such node: n9"),
        ({"Name": "data", "Driver": "odd"}, 404, "plugin not found"),
    ],
)
async def test_volumes_that_cannot_be(api: Any, body: Any, status: int, text: str) -> None:
    found, answer = await api.call("POST", "/volumes/create", json=body)
    assert found == status
    assert text in answer["message"]


async def test_volumes_of_a_node_that_does_not_answer(api: Any) -> None:
    await create(api, "n2/data")
    state = api.agent.cluster.state
    state.put_node(replace(state.get_node("n2").node, status=NodeStatus.UNHEALTHY, error="it is gone"))
    assert await names(api) == ["n2/data"]
    assert (await api.call("GET", "/volumes/data"))[1]["Name"] == "data"
    status, answer = await api.call("DELETE", "/volumes/data")
    assert status == 503
    assert "volume data is on node n2, which is unhealthy now: it is gone" in answer["message"]
