"""Ping, versions, info, disk usage, and what any node answers for all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from skep import Agent, NodeStatus, __version__, with_overcommit
from skep.testing import EmbeddedEngine
from skep_docker_api.answers import merged
from skep_docker_api.summary import human_size

Serving = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.mark.parametrize("path", ["/_ping", "/v1.41/_ping"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_ping_says_what_is_spoken(api: Any, method: str, path: str) -> None:
    async with api.session.request(method, path) as response:
        assert response.status == 200
        assert await response.text() == ("OK" if method == "GET" else "")
        told = response.headers
    assert (told["Api-Version"], told["Ostype"], told["Builder-Version"]) == ("1.41", "linux", "1")
    assert told["Server"].startswith(f"skep/{__version__}")
    assert told["Docker-Experimental"] == "false"


@pytest.mark.parametrize("path", ["/containers/json", "/images/search?term=a", "/images/none/json", "/nowhere"])
async def test_every_answer_says_what_is_spoken(api: Any, path: str) -> None:
    put_node(api.agent, "n1", api_version="1.40")
    async with api.session.get(path) as response:
        assert response.headers.getall("Api-Version") == ["1.40"]
        assert response.headers.getall("Server")[0].startswith("skep/")
        assert response.headers.getall("Ostype") == ["linux"]


async def test_the_version_is_that_of_the_oldest_engine(serving: Serving) -> None:
    async with serving("n1", "n10", "n2") as api:
        for name, version in (("n1", "1.45"), ("n2", "1.52")):
            put_node(api.agent, name, api_version=version, server_version="28.0")
        _, told = await api.call("GET", "/version")
        assert told["ApiVersion"] == "1.41"
        assert told["MinAPIVersion"] == "1.24"
        assert told["Version"] == f"skep/{__version__}"
        nodes = [each for each in told["Components"] if each["Name"] == "Nodes"]
        assert [(each["Version"], each["Details"]["Names"]) for each in nodes] == [
            ("20.10.24", "n10"),
            ("28.0", "n1"),
            ("28.0", "n2"),
        ]
        assert told["Components"][0]["Name"] == "skep"


def put_node(agent: Agent, name: str, **changes: Any) -> None:
    state = agent.cluster.state.get_node(name)
    assert state is not None
    agent.cluster.state.put_node(replace(state.node, **changes))


async def test_info_adds_the_nodes_up(api: Any) -> None:
    api.engines["n1"].run("web", memory=2**30)
    api.engines["n2"].create("job", cpu_shares=512)
    paused = api.engines["n2"].run("still")
    api.engines["n2"].pause(paused)
    for name, node in (("web", "n1"), ("job", "n2"), ("still", "n2")):
        await api.agent.cluster.refresh_container(node, api.engines[node].state.container(name).id)
    _, info = await api.call("GET", "/info")
    keys = ("Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images", "NCPU", "MemTotal")
    assert [info[key] for key in keys] == [3, 1, 1, 1, 10, 8, 2 * with_overcommit(8 * 2**30, 0.05)]
    assert info["Warnings"] is None
    assert info["Swarm"]["LocalNodeState"] == "inactive"
    n1 = api.agent.cluster.state.get_node("n1").node
    rows = [tuple(row) for row in info["SystemStatus"]]
    assert rows[:4] == [("Role", "primary"), ("Strategy", "fewest"), ("Filters", "healthy"), ("Nodes", "2")]
    labels = "kernelversion=6.1.0-skep, operatingsystem=Embedded engine of skep.testing, ostype=linux, storagedriver=overlay2"
    assert rows[4:13] == [
        (" n1", n1.address.removeprefix("tcp://")),
        ("  └ ID", n1.id),
        ("  └ Status", "Healthy"),
        ("  └ Containers", "1 (1 Running, 0 Paused, 0 Stopped)"),
        ("  └ Reserved CPUs", "0 / 4"),
        ("  └ Reserved Memory", "1 GiB / 8.4 GiB"),
        ("  └ Labels", labels),
        ("  └ UpdatedAt", dict(rows)["  └ UpdatedAt"]),
        ("  └ ServerVersion", "20.10.24"),
    ]
    assert rows[13][0] == " n2"
    assert ("  └ Reserved CPUs", "2 / 4") in rows[13:]
    assert ("  └ Containers", "2 (0 Running, 1 Paused, 1 Stopped)") in rows[13:]
    assert len(rows) == 4 + 2 * 9


async def test_info_shows_a_node_that_does_not_answer(api: Any) -> None:
    put_node(api.agent, "n2", status=NodeStatus.UNHEALTHY, error="it is\ngone")
    _, info = await api.call("GET", "/info")
    assert info["Warnings"] == ["WARNING: node n2 is unhealthy: it is gone"]
    rows = [tuple(row) for row in info["SystemStatus"]]
    second = rows[rows.index((" n2", api.engines["n2"].url.removeprefix("tcp://"))) :]
    assert ("  └ Status", "Unhealthy") in second
    assert ("  └ Containers", "0") in second
    assert second[second.index(("  └ Error", "it is gone")) - 1][0] == "  └ Labels"


async def test_nodes_are_listed_as_people_count(serving: Serving) -> None:
    async with serving("n10", "n2", "n1") as api:
        _, info = await api.call("GET", "/info")
        assert [row[0] for row in info["SystemStatus"] if row[0].startswith(" n")] == [" n1", " n2", " n10"]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (2**30, "1 GiB"), (1_096_810_496, "1.021 GiB"), (512 * 2**20, "512 MiB")],
)
def test_sizes_have_four_digits(size: int, text: str) -> None:
    assert human_size(size) == text


async def test_disk_usage_is_the_sum(api: Any) -> None:
    api.engines["n1"].run("web")
    await api.agent.cluster.engine("n2").call("POST", "/volumes/create", json={"Name": "data"})
    _, one = await direct(api.engines["n1"], "/system/df")
    _, two = await direct(api.engines["n2"], "/system/df")
    status, both = await api.call("GET", "/v1.41/system/df")
    assert status == 200
    assert both["LayersSize"] == one["LayersSize"] + two["LayersSize"]
    assert len(both["Images"]) == len(one["Images"]) + len(two["Images"])
    assert [each["Names"] for each in both["Containers"]] == [["/n1/web"]]
    assert [each["Name"] for each in both["Volumes"]] == ["n2/data"]


async def direct(engine: EmbeddedEngine, path: str) -> tuple[int, Any]:
    async with aiohttp.ClientSession(engine.url.replace("tcp", "http")) as session, session.get(path) as response:
        return response.status, await response.json()


async def test_disk_usage_names_the_node_that_fails(api: Any) -> None:
    with api.engines["n2"].faults.status(500, "disk on fire", "/system/df"):
        status, body = await api.call("GET", "/system/df")
    assert (status, body["message"]) == (500, "n2: disk on fire")


def test_answers_merge_by_shape() -> None:
    one = {"Images": [1], "Size": 2, "BuildCache": None, "Usage": {"Total": 1, "Name": "a"}}
    other = {"Images": [2], "Size": 3, "BuildCache": [4], "Usage": {"Total": 2, "Name": "b", "More": 1}}
    assert merged([one, other]) == {
        "Images": [1, 2],
        "Size": 5,
        "BuildCache": [4],
        "Usage": {"Total": 3, "Name": "a", "More": 1},
    }
    assert merged([]) is None


async def test_login_and_search_go_to_one_node(api: Any) -> None:
    status, body = await api.call("POST", "/auth", json={"username": "a", "password": "b"})
    assert (status, body["Status"]) == (200, "Login Succeeded")
    status, body = await api.call("POST", "/auth", json={})
    assert (status, body["message"]) == (401, "unauthorized: incorrect username or password")
    assert await api.call("GET", "/v1.41/images/search?term=busybox") == (200, [])
    status, body = await api.call("GET", "/distribution/busybox/json")
    assert (status, body["Platforms"]) == (200, [{"architecture": "amd64", "os": "linux"}])


async def test_without_a_node_it_says_so(api: Any) -> None:
    for name in ("n1", "n2"):
        put_node(api.agent, name, status=NodeStatus.UNHEALTHY, error="gone")
    status, body = await api.call("GET", "/images/search?term=a")
    assert (status, body["message"]) == (503, "no node of the cluster answers now: n1: gone; n2: gone")
    _, told = await api.call("GET", "/version")
    assert told["ApiVersion"] == "1.41"


@pytest.mark.parametrize(("versions", "builder"), [(("23.0.1", "26.1.5"), "2"), (("20.10.24", "26.1.5"), "1")])
async def test_ping_names_buildkit_where_all_engines_would(api: Any, versions: tuple[str, str], builder: str) -> None:
    for name, version in zip(("n1", "n2"), versions, strict=True):
        put_node(api.agent, name, server_version=version)
    async with api.session.get("/_ping") as response:
        assert response.headers["Builder-Version"] == builder
