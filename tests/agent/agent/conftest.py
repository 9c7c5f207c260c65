"""Agents over embedded engines, with the plainest of plugins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import pytest

from skep import Agent, Created, PlacementQuery, Plugin, Scores, Verdict, parse_settings
from skep.testing import EmbeddedEngine


class Health(Plugin):
    name = "health"

    def filter_nodes(self, query: PlacementQuery) -> Verdict:
        return Verdict(query.state.healthy_nodes(), lambda _: "unhealthy")


class Fewest(Plugin):
    name = "fewest"

    def score_nodes(self, query: PlacementQuery) -> Scores:
        return Scores([(-float(count), nodes) for count, nodes in query.state.by_container_count()])


class Cluster:
    """Engines n1, n2, … and an agent over them."""

    def __init__(self, agent: Agent, engines: list[EmbeddedEngine]) -> None:
        self.agent = agent
        self.engines = engines

    async def create(self, name: str = "", *, auth: str = "", platform: str = "", **fields: Any) -> Created:
        """Create a container whose request has these fields."""
        data = json.dumps({"Image": "busybox:latest", "Cmd": ["sleep", "100"], **fields}).encode()
        return await self.agent.create_container(self.agent.request(data, name), auth=auth, platform=platform)

    def ids(self) -> list[str]:
        """The ids of all engines' containers."""
        return [id_ for engine in self.engines for id_ in engine.state.containers]

    def pending(self) -> int:
        """How many placements are under way."""
        return sum(not container.id for container in self.agent.cluster.state.containers())

    async def eventually(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)


class Start(Protocol):
    async def __call__(self, number: int = 2, plugins: tuple[type[Plugin], ...] = ..., **settings: Any) -> Cluster: ...


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts clusters: `await start(3, call_timeout=1.0)`; further arguments are settings of `[cluster]`."""
    async with AsyncExitStack() as stack:

        async def start(
            number: int = 2, plugins: tuple[type[Plugin], ...] = (Health, Fewest), **settings: Any
        ) -> Cluster:
            names = [f"n{i}" for i in range(1, number + 1)]
            engines = [await stack.enter_async_context(EmbeddedEngine(name)) for name in names]
            cluster = {"engines": [engine.url for engine in engines], **settings}
            agent = Agent(parse_settings({"cluster": cluster}), plugins=plugins)
            return Cluster(await stack.enter_async_context(agent), engines)

        yield start
