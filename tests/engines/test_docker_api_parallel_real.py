"""64 clients at once on real engines: of each name, port and megabyte there is what there is, and each refusal says why."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import aiodocker
import pytest

CLIENTS = 64
ENGINES = 4
Create = Callable[[int], tuple[str, dict[str, Any]]]


async def create(url: str, name: str, config: dict[str, Any]) -> str:
    """One client's create: "" when it succeeded, else the status and the refusal."""
    async with aiodocker.Docker(url, api_version="v1.41") as docker:
        try:
            await docker.containers.create({"Image": "busybox", "Cmd": ["sleep", "100"], **config}, name=name or None)
        except aiodocker.DockerError as error:
            return f"{error.status} {error.message}"
    return ""


@pytest.fixture
def at_once(endpoint_of_four: Any) -> Callable[[Create], Awaitable[list[str]]]:
    """All clients at once: `at_once(lambda number: (name, config))`; their answers."""

    async def run(what: Create) -> list[str]:
        return await asyncio.gather(*(create(endpoint_of_four.url, *what(number)) for number in range(CLIENTS)))

    return run


async def inspected(endpoint: Any) -> list[dict[str, Any]]:
    """Every container as its own engine tells it."""
    found: list[dict[str, Any]] = []
    for host in endpoint.lab.hosts.values():
        async with aiodocker.Docker(host.url.replace("tcp://", "http://"), api_version="v1.41") as docker:
            listed = await docker.containers.list(all=True)
            found += [await each.show() | {"Engine": host.name} for each in listed]
    return found


async def test_of_each_name_there_is_one(endpoint_of_four: Any, at_once: Any) -> None:
    answers = await at_once(lambda number: (f"web{number % 16}", {}))
    refused = [answer for answer in answers if answer]
    assert len(refused) == CLIENTS - 16
    assert all(answer.startswith("409 Conflict: The name web") for answer in refused)
    assert sorted(each["Name"] for each in await inspected(endpoint_of_four)) == sorted(f"/web{n}" for n in range(16))


async def test_of_each_port_every_engine_has_one(endpoint_of_four: Any, at_once: Any) -> None:
    def config(number: int) -> tuple[str, dict[str, Any]]:
        port = str(18080 + number % 2)
        return "", {"ExposedPorts": {"80/tcp": {}}, "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": port}]}}}

    answers = await at_once(config)
    refused = [answer for answer in answers if answer]
    assert len(refused) == CLIENTS - 2 * ENGINES
    assert all("port 18080/tcp" in answer or "port 18081/tcp" in answer for answer in refused)
    held = Counter(
        (each["Engine"], each["HostConfig"]["PortBindings"]["80/tcp"][0]["HostPort"])
        for each in await inspected(endpoint_of_four)
    )
    assert len(held) == 2 * ENGINES
    assert set(held.values()) == {1}


async def test_no_engine_gives_more_memory_than_it_has(endpoint_of_four: Any, at_once: Any) -> None:
    nodes = endpoint_of_four.agent.cluster.state.nodes
    share = (
        min(node.node.memory for node in nodes) // 3 + 2**20
    )  # with 5 % of overcommit, too, three of it are too much for each
    answers = await at_once(lambda _: ("", {"HostConfig": {"Memory": share * 9 // 8}}))
    refused = [answer for answer in answers if answer]
    assert len(refused) == CLIENTS - 2 * ENGINES
    assert all("no resources available to schedule container" in answer for answer in refused)
    assert all("not enough memory" in answer for answer in refused)
    per_engine = Counter(each["Engine"] for each in await inspected(endpoint_of_four))
    assert set(per_engine.values()) == {2}
