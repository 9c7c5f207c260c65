"""Embedded engines, an agent over them, and clients of its Docker API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from skep import Agent, PlacementQuery, Plugin, Scores, Verdict, parse_settings
from skep.testing import EmbeddedEngine
from skep_docker_api import DockerApiPlugin


class Healthy(Plugin):
    name = "healthy"

    def filter_nodes(self, query: PlacementQuery) -> Verdict:
        return Verdict(query.state.healthy_nodes(), lambda node: node.node.error)


class Fewest(Plugin):
    name = "fewest"

    def score_nodes(self, query: PlacementQuery) -> Scores:
        return Scores([(-float(count), nodes) for count, nodes in query.state.by_container_count()])


@dataclass
class Api:
    """A cluster's endpoint. `call` makes one request and returns status and JSON (text where it is none)."""

    url: str
    agent: Agent
    plugin: DockerApiPlugin
    engines: dict[str, EmbeddedEngine]
    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(method, path, **options) as response:
            if response.content_type == "application/json":
                return response.status, await response.json()
            return response.status, await response.text()


@asynccontextmanager
async def serve(
    *names: str,
    settings: dict[str, Any] | None = None,
    plugins: Iterable[Plugin] = (),
    tables: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncIterator[Api]:
    engines = {name: EmbeddedEngine(name, **options) for name in names or ("n1", "n2")}
    for engine in engines.values():
        await engine.start("tcp://127.0.0.1:0")
    try:
        found = parse_settings(
            {"cluster": {"engines": [engine.url for engine in engines.values()]}, "plugins": tables or {}}
        )
        plugin = DockerApiPlugin(DockerApiPlugin.Settings(**{"listen": ("tcp://127.0.0.1:0",)} | (settings or {})))
        plugin.name = "docker_api"
        async with Agent(found, plugins=[Healthy(), Fewest(), *plugins, plugin]) as agent:
            base = plugin.urls[0].replace("tcp", "http") if plugin.urls[0].startswith("tcp") else None
            async with aiohttp.ClientSession(base) as session:
                yield Api(plugin.urls[0], agent, plugin, engines, session)
    finally:
        for engine in engines.values():
            await engine.stop()


@pytest.fixture
def serving() -> Callable[..., AbstractAsyncContextManager[Api]]:
    """Brings up a cluster of its own: names of engines, settings of the plugin, more plugins, options of the engines."""
    return serve


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The engines n1 and n2 as a cluster."""
    async with serve("n1", "n2") as api:
        yield api
