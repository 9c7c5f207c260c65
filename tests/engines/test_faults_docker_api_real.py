"""The endpoint over real engines, while one of them is killed, frozen, cut off both ways or one way only.

What a client sees within the seconds that a node has to be found out, and after the fault has ended. Where else the faults of an engine, a
network or a client are tested (numbers as in the list of faults that skep must stand):

1, 3, 5 here; 2 test_cluster_real_engines; 4 test_docker_api_unhealthy, test_engine_calls; 6 here, test_agent_create; 7 here,
test_docker_api_bounds, test_engine_client, test_engine_calls; 8 test_engine_calls, test_docker_api_forward; 9 test_docker_api_hostile,
test_cluster_watching; 10 test_docker_api_bounds, test_engine_calls,
test_engine_events, test_docker_api_forward; 11 test_http_hijack, test_engine_client; 12 to 15 test_cluster_watching, test_cluster_exactness;
16 test_cluster_members; 17 test_engine_versions, test_docker_api_versions; 19 test_http_tls, test_engine_tls, test_docker_api_tls;
21 test_cli_manage_stopping, test_cli_service, test_http_server; 36 test_docker_api_limits, test_http_server, test_docker_api_forward,
test_docker_api_events; 37 contrib.bench.watchers, test_docker_api_streams.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from contrib.lab import Host, Lab
from tests.agent.cluster.observing import eventually
from tests.engines.clients import Served, serving_engines

BAD, GOOD = "backend1", "frontend"
MOST = 5.0
"""Seconds within which a node that does not answer is unhealthy."""


@pytest.fixture
async def served(cluster_lab: Lab, tmp_path: Path) -> AsyncIterator[Served]:
    async with serving_engines(cluster_lab.hosts, tmp_path) as served:
        yield served


@pytest.fixture
async def http(served: Served) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(served.url.removeprefix("unix://"))
    async with aiohttp.ClientSession("http://docker", connector=connector) as session:
        yield session


async def create(http: aiohttp.ClientSession, name: str, node: str = "") -> tuple[int, dict[str, Any]]:
    body = {"Image": "busybox", "Cmd": ["sleep", "90"], "Env": [f"constraint:node=={node}"] if node else []}
    async with http.post("/containers/create", params={"name": name}, json=body) as answer:
        return answer.status, await answer.json()


async def shown(http: aiohttp.ClientSession) -> dict[str, str]:
    async with http.get("/containers/json?all=1") as answer:
        return {row["Names"][0]: row["Status"] for row in await answer.json()}


async def on_engine(host: Host, name: str) -> list[str]:
    """The ids of the containers of that name that the engine itself knows."""
    return (await host.docker("ps", "-aq", "--no-trunc", "--filter", f"name=^/{name}$")).split()


def healthy(served: Served, name: str) -> Callable[[], bool]:
    def is_so() -> bool:
        node = served.agent.cluster.state.get_node(name)
        return node is not None and node.node.is_healthy

    return is_so


FAULTS: dict[str, tuple[Callable[[Host], Awaitable[None]], Callable[[Host], Awaitable[None]]]] = {
    "killed": (Host.kill, Host.start),
    "frozen": (Host.freeze, Host.thaw),
    "cut": (Host.cut, Host.heal),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_that_fails_takes_nobody_along(served: Served, http: aiohttp.ClientSession, fault: str) -> None:
    host = served.hosts[BAD]
    assert (await create(http, "kept", BAD))[0] == 201
    begin, end = FAULTS[fault]
    await begin(host)
    async with asyncio.timeout(MOST):  # lists and the others are served, also before it is known
        assert f"/{BAD}/kept" in await shown(http)
        assert (await create(http, "other", GOOD))[0] == 201
    await eventually(lambda: not healthy(served, BAD)(), MOST)
    assert (await shown(http))[f"/{BAD}/kept"] == "Host Down"
    for number in range(4):
        status, told = await create(http, f"more{number}")
        assert status == 201, told
    assert not any(name.startswith(f"/{BAD}/more") for name in await shown(http))
    status, told = await create(http, "there", BAD)
    assert status == 500
    assert BAD in told["message"]
    await end(host)
    await eventually(healthy(served, BAD), 15)
    async with asyncio.timeout(MOST):
        while (await shown(http))[f"/{BAD}/kept"] != "Created":
            await asyncio.sleep(0.05)
    assert len(await on_engine(host, "kept")) == 1


async def test_a_create_under_way_ends_with_an_error_that_names_the_node(
    served: Served, http: aiohttp.ClientSession
) -> None:
    host = served.hosts[BAD]
    await host.freeze()  # so that the request is under way when it is killed
    creating = asyncio.create_task(create(http, "box", BAD))
    await eventually(lambda: served.agent.cluster.state.named("box"))
    await host.kill()
    async with asyncio.timeout(12):
        status, told = await creating
    assert status in (503, 504), told
    assert BAD in told["message"]
    await host.start()
    await eventually(healthy(served, BAD), 15)
    assert len(await on_engine(host, "box")) <= 1


async def test_a_create_to_a_node_that_freezes_ends_with_that_and_is_known_afterwards(
    served: Served, http: aiohttp.ClientSession
) -> None:
    host = served.hosts[BAD]
    assert (await create(http, "warm", BAD))[0] == 201
    await host.freeze()
    async with asyncio.timeout(10):
        status, told = await create(http, "late", BAD)
    assert status == 504, told
    assert BAD in told["message"]
    assert (await create(http, "late"))[0] == 409  # it may be there
    await host.thaw()
    await eventually(healthy(served, BAD), 15)
    async with asyncio.timeout(15):
        while not (made := await on_engine(host, "late")):
            await asyncio.sleep(0.1)
    assert len(made) == 1
    await eventually(lambda: [each.id for each in served.agent.cluster.state.named("late")] == made)
    assert (await create(http, "late"))[0] == 409
    assert [name for name in await shown(http) if name.endswith("/late")] == [f"/{BAD}/late"]


async def test_a_silent_cut_leaves_no_files_open(served: Served, http: aiohttp.ClientSession) -> None:
    host = served.hosts[BAD]
    assert (await create(http, "kept", BAD))[0] == 201

    async def pause(number: int) -> int:
        async with http.post(f"/containers/kept/pause?number={number}") as answer:
            return answer.status

    await asyncio.gather(*map(pause, range(30)))
    before = open_files()
    await host.cut()
    async with asyncio.timeout(10):  # half-open connections are found out
        statuses = await asyncio.gather(*map(pause, range(30)))
    assert set(statuses) <= {500, 503, 504}
    await eventually(lambda: not healthy(served, BAD)(), MOST)
    for number in range(50):
        assert await pause(number) in (500, 503, 504)
    assert open_files() <= before + 5
    await host.heal()
    await eventually(healthy(served, BAD), 15)
    await eventually(lambda: open_files() <= before + 5, 15)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_create_whose_answer_is_lost_is_not_made_twice(served: Served, http: aiohttp.ClientSession) -> None:
    """Requests arrive, answers vanish: a cut of one direction."""
    host = served.hosts[BAD]
    assert (await create(http, "warm", BAD))[0] == 201
    rule = ("OUTPUT", "-p", "tcp", "--sport", "2375", "-j", "DROP")
    await host.run("iptables", "-I", *rule)
    try:
        status, told = await create(http, "once", BAD)
        assert status in (500, 503, 504), told
        assert BAD in told["message"]
        assert len(await on_engine(host, "once")) <= 1
        again, refused = await create(http, "once")
        made = await on_engine(host, "once")
    finally:
        await host.run("iptables", "-D", *rule)
    await eventually(healthy(served, BAD), 15)
    assert again == (409 if made else 201), refused
    names = [name for name in await shown(http) if name.endswith("/once")]
    found = [await on_engine(each, "once") for each in served.hosts.values()]
    assert sum(map(len, found)) == 1, json.dumps(found)
    await eventually(lambda: len(served.agent.cluster.state.named("once")) == 1)
    assert len(names) <= 1
