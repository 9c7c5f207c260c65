"""An image for another operating system goes to a node that runs it (classic Swarm's first retry)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from skep import Agent, EngineError, PlacementError, PlacementRequest, parse_settings
from skep.testing import EmbeddedEngine
from skep_constraint import ConstraintPlugin

REFUSED = 'image operating system "windows" cannot be used on this platform'
LABEL = "com.docker.swarm.constraints"


@pytest.fixture
async def engines() -> AsyncIterator[list[EmbeddedEngine]]:
    """n1 runs Linux and refuses what is for Windows; n2 says that it runs Windows."""
    async with AsyncExitStack() as stack:
        found = [await stack.enter_async_context(EmbeddedEngine(name)) for name in ("n1", "n2")]
        found[0].faults.status(400, REFUSED, lambda method, path: (method, path) == ("POST", "/containers/create"))
        found[1].faults.change(
            lambda body: body.replace(b'"OSType":"linux"', b'"OSType":"windows"').replace(
                b'"OSType": "linux"', b'"OSType": "windows"'
            ),
            lambda method, path: path == "/info",
        )
        yield found


def wanted(agent: Agent, *env: str) -> PlacementRequest:
    return agent.request(json.dumps({"Image": "busybox", "Env": [*env]}).encode())


def agent_over(engines: list[EmbeddedEngine], *plugins: type[ConstraintPlugin]) -> Agent:
    return Agent(parse_settings({"cluster": {"engines": [each.url for each in engines]}}), plugins=plugins)


async def test_it_goes_to_a_node_that_runs_its_system_and_keeps_the_constraint(engines: list[EmbeddedEngine]) -> None:
    async with agent_over(engines, ConstraintPlugin) as agent:
        created = await agent.create_container(wanted(agent, "constraint:node!=n3"))
        assert created.node == "n2"
        labels = engines[1].state.containers[created.id].config["Labels"]
        assert labels[LABEL] == '["node!=n3","ostype==windows"]'


async def test_without_such_a_node_the_error_tells_the_constraint(engines: list[EmbeddedEngine]) -> None:
    async with agent_over(engines, ConstraintPlugin) as agent:
        with pytest.raises(PlacementError, match="constraint ostype==windows: its label ostype is"):
            await agent.create_container(wanted(agent, "constraint:node==n1"))


async def test_without_the_plugin_the_engine_has_the_last_word(engines: list[EmbeddedEngine]) -> None:
    async with agent_over(engines) as agent:
        with pytest.raises(EngineError, match="cannot be used on this platform"):
            await agent.create_container(wanted(agent))
