"""Networks of all nodes: `node/name`, or a bare name where that is enough."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from skep import Network, NodeStatus

Serving = Callable[..., AbstractAsyncContextManager[Any]]


async def create(api: Any, name: str, **body: Any) -> str:
    status, answer = await api.call("POST", "/v1.41/networks/create", json={"Name": name, **body})
    assert status == 201, answer
    return str(answer["Id"])


def make_unhealthy(api: Any, node: str) -> None:
    state = api.agent.cluster.state
    state.put_node(replace(state.get_node(node).node, status=NodeStatus.UNHEALTHY, error="it is gone"))


async def names(api: Any, **filters: list[str]) -> list[str]:
    status, rows = await api.call("GET", "/networks", params={"filters": json.dumps(filters)})
    assert status == 200, rows
    return [row["Name"] for row in rows]


async def test_local_networks_are_listed_with_their_nodes(api: Any) -> None:
    assert await names(api) == [f"{node}/{name}" for node in ("n1", "n2") for name in ("bridge", "host", "none")]
    _, rows = await api.call("GET", "/networks")
    assert (rows[0]["Driver"], rows[0]["Scope"], len(rows[0]["Id"])) == ("bridge", "local", 64)


async def test_one_node_is_listed_as_an_engine_does(serving: Serving) -> None:
    async with serving("n1") as api:
        assert await names(api) == ["bridge", "host", "none"]


async def test_a_network_of_all_hosts_is_listed_once(api: Any) -> None:
    row = b'{"Name":"wide","Id":"abc","Scope":"global","Driver":"overlay"}'
    for node in ("n1", "n2"):
        api.agent.cluster.state.put_networks(node, [Network("abc", "wide", "overlay", "global", {}, row)])
    assert await names(api) == ["wide"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"name": ["back"]}, ["n1/back", "n2/backup"]),
        ({"name": ["^back$"]}, ["n1/back"]),
        ({"name": ["n2/"]}, ["n2/bridge", "n2/host", "n2/none", "n2/backup"]),
        ({"type": ["custom"]}, ["n1/back", "n2/backup"]),
        ({"type": ["builtin"], "node": ["n1"]}, ["n1/bridge", "n1/host", "n1/none"]),
        ({"driver": ["host"]}, ["n1/host", "n2/host"]),
        ({"label": ["tier=back"]}, ["n1/back"]),
        ({"label": ["tier=front"]}, []),
        ({"scope": ["swarm"]}, []),
        ({"dangling": ["true"]}, ["n1/back", "n2/backup"]),
    ],
)
async def test_filters_of_the_list(api: Any, filters: dict[str, list[str]], found: list[str]) -> None:
    await create(api, "n1/back", Labels={"tier": "back"})
    await create(api, "n2/backup")
    assert await names(api, **filters) == found


@pytest.mark.parametrize("filters", ['{"type": ["odd"]}', '{"dangling": ["maybe"]}', '{"colour": ["red"]}', "["])
async def test_wrong_filters_are_refused(api: Any, filters: str) -> None:
    assert (await api.call("GET", "/networks", params={"filters": filters}))[0] == 400


async def test_a_network_is_made_where_it_is_asked_for(api: Any) -> None:
    id_ = await create(api, "n2/back", Internal=True)
    assert api.engines["n2"].state.networks[id_].internal
    assert await names(api, type=["custom"]) == ["n2/back"]
    for name in ("back", "n2/back", id_, id_[:12], id_[:5]):
        status, told = await api.call("GET", f"/networks/{name}")
        assert (status, told["Name"], told["Id"]) == (200, "back", id_)
    assert (await api.call("GET", "/v1.41/networks/n2%2Fback"))[1]["Id"] == id_


async def test_a_network_without_a_node_goes_where_a_container_would(api: Any) -> None:
    for name in ("aa", "bb"):
        api.engines["n1"].run(name)
        await api.agent.cluster.refresh_container("n1", api.engines["n1"].state.container(name).id)
    await create(api, "back")
    assert await names(api, type=["custom"]) == ["n2/back"]
    status, body = await api.call("POST", "/networks/create", json={"Name": "back"})
    assert status == 409
    assert "on node n2" in body["message"]
    await create(api, "n1/back")
    assert await names(api, type=["custom"]) == ["n1/back", "n2/back"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"Name": ""}, 400, "expected a name"),
        ({"Name": 7}, 400, "expected a name"),
        ([], 400, "invalid JSON"),
        ({"Name": "n9/back"}, 404, "No such node: n9"),
        ({"Name": "n1/bridge"}, 403, "predefined"),
        ({"Name": "bridge"}, 403, "predefined"),
        ({"Name": "odd", "Driver": "odd"}, 404, "could not find plugin odd"),
    ],
)
async def test_networks_that_cannot_be(api: Any, body: Any, status: int, text: str) -> None:
    found, answer = await api.call("POST", "/networks/create", json=body)
    assert found == status
    assert text in answer["message"]


async def test_a_name_of_several_is_not_guessed(api: Any) -> None:
    status, body = await api.call("GET", "/networks/bridge")
    assert status == 409
    assert "n1/bridge" in body["message"]
    assert "n2/bridge" in body["message"]
    assert (await api.call("GET", "/networks/n2/bridge"))[0] == 200


async def test_remove_and_prune(api: Any) -> None:
    await create(api, "n1/one")
    await create(api, "n2/two")
    await create(api, "n2/three")
    assert (await api.call("DELETE", "/networks/one"))[0] == 204
    assert await names(api, type=["custom"]) == ["n2/two", "n2/three"]
    assert (await api.call("DELETE", "/networks/one"))[0] == 404
    assert (await api.call("POST", "/networks/prune")) == (200, {"NetworksDeleted": ["n2/two", "n2/three"]})
    assert await names(api, type=["custom"]) == []
    assert (await api.call("DELETE", "/networks/n1/bridge"))[0] == 403


async def test_one_that_is_removed_is_listed_no_more_when_the_client_has_the_answer(serving: Serving) -> None:
    async with serving("n1") as api:
        await api.call("POST", "/networks/create", json={"Name": "back"})
        api.engines["n1"].faults.delay(0.2, lambda method, path: method == "GET" and path.endswith("/networks"))
        status, _ = await api.call("DELETE", "/networks/back")
        assert status == 204
        # by another connection: on one, requests are answered in turn
        async with aiohttp.ClientSession() as other, other.get(f"{api.url.replace('tcp', 'http')}/networks") as answer:
            assert "back" not in [each["Name"] for each in await answer.json()]


async def test_connect_and_disconnect_on_the_containers_node(api: Any) -> None:
    container = api.engines["n2"].run("web")
    await api.agent.cluster.refresh_container("n2", container)
    await create(api, "n2/back")
    await create(api, "n1/back")
    connected = {"Container": "web", "EndpointConfig": {"Aliases": ["www"]}}
    assert (await api.call("POST", "/networks/back/connect", json=connected))[0] == 200
    known = api.agent.cluster.state.get_node("n2").containers[container]
    assert {end.network for end in known.networks} == {"bridge", "back"}
    assert (await api.call("POST", "/networks/n2/back/disconnect", json={"Container": "n2/web"}))[0] == 200
    known = api.agent.cluster.state.get_node("n2").containers[container]
    assert {end.network for end in known.networks} == {"bridge"}


@pytest.mark.parametrize(
    ("network", "body", "status", "text"),
    [
        (
            "n1/back",
            {"Container": "web"},
            400,
            "is on node n1, and container web is on node n2: create it there, as n2/back",
        ),
        ("back", {"Container": "none"}, 404, "No such container: none"),
        ("none-such", {"Container": "web"}, 404, "network none-such not found"),
        ("back", {}, 400, "expected a container's name or id"),
    ],
)
async def test_connections_that_cannot_be(api: Any, network: str, body: Any, status: int, text: str) -> None:
    await api.agent.cluster.refresh_container("n2", api.engines["n2"].run("web"))
    await create(api, "n1/back")
    found, answer = await api.call("POST", f"/networks/{network}/connect", json=body)
    assert found == status
    assert text in answer["message"]


async def test_networks_of_a_node_that_does_not_answer(api: Any) -> None:
    id_ = await create(api, "n2/back")
    make_unhealthy(api, "n2")
    assert "n2/back" in await names(api)
    assert (await api.call("GET", "/networks/n2/back"))[1]["Id"] == id_
    for method, path, body in (("DELETE", "/networks/back", None), ("POST", "/networks/create", {"Name": "n2/more"})):
        status, answer = await api.call(method, path, json=body)
        assert status == 503
        assert "is on node n2, which is unhealthy now: it is gone" in answer["message"]
