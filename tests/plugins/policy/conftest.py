"""Embedded engines, an agent with rules before its Docker API, clients from addresses of their own, and what engines got."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from skep import Agent, PlacementQuery, Plugin, Verdict, parse_settings
from skep.testing import EmbeddedEngine
from skep.testing.embedded.faults import Fault
from skep_docker_api import DockerApiPlugin
from skep_policy import PolicyPlugin

ALICE, BOB, ADMIN = "127.0.0.1", "127.0.0.2", "127.0.0.3"


class Healthy(Plugin):
    name = "healthy"

    def filter_nodes(self, query: PlacementQuery) -> Verdict:
        return Verdict(query.state.healthy_nodes(), lambda node: node.node.error)


@dataclass
class Served:
    """A cluster's endpoint behind rules. `sent` is what engines got from their start on: method, path with query, body."""

    url: str
    agent: Agent
    policy: PolicyPlugin
    engines: dict[str, EmbeddedEngine]
    sessions: dict[str, aiohttp.ClientSession]
    sent: list[tuple[str, str, bytes]] = field(default_factory=list)

    async def call(self, method: str, path: str, by: str = ALICE, **options: Any) -> tuple[int, Any]:
        async with self.sessions[by].request(method, self.url + path, **options) as response:
            text = await response.text()
            try:
                return response.status, json.loads(text)
            except ValueError:
                return response.status, text

    async def create(self, host: dict[str, Any] | None = None, by: str = ALICE, **body: Any) -> tuple[int, Any]:
        whole = {"Image": "busybox", "Cmd": ["true"], **body, "HostConfig": host or {}}
        return await self.call("POST", "/v1.41/containers/create", by, json=whole)

    def changes(self, part: str = "") -> list[dict[str, Any]]:
        """The bodies of requests that changed something, of paths that contain `part`."""
        return [json.loads(body or b"{}") for method, path, body in self.sent if method != "GET" and part in path]

    async def known(self, number: int) -> None:
        async with asyncio.timeout(5):
            while len(list(self.agent.cluster.state.containers())) < number:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def serve(
    *names: str,
    rules: dict[str, Any],
    plugins: Iterable[Plugin] = (),
    listen: str = "tcp://127.0.0.1:0",
    **options: Any,
) -> AsyncIterator[Served]:
    settings: dict[str, Any] = {"plugins": {"policy": {"rules": rules, **options}}}
    async with AsyncExitStack() as stack:
        engines = {name: EmbeddedEngine(name) for name in names or ("n1",)}
        for engine in engines.values():
            await engine.start("tcp://127.0.0.1:0")
            stack.push_async_callback(engine.stop)
        settings["cluster"] = {"engines": [engine.url for engine in engines.values()]}
        api = DockerApiPlugin(DockerApiPlugin.Settings(listen=(listen,)))
        api.name = "docker_api"
        agent = await stack.enter_async_context(Agent(parse_settings(settings), plugins=[Healthy(), *plugins, api]))
        policy = agent.plugins.plugins["policy"]
        sessions = {}
        for address in (ALICE, BOB, ADMIN):
            connector = aiohttp.TCPConnector(local_addr=(address, 0))
            sessions[address] = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        served = Served(api.urls[0].replace("tcp", "http"), agent, policy, engines, sessions)
        for engine in engines.values():
            engine.faults.active.add(_recorder(engine, served.sent))
        yield served


def _recorder(engine: EmbeddedEngine, sent: list[tuple[str, str, bytes]]) -> Fault:
    class Recorder(Fault):
        async def before(self, call: Any) -> None:
            if "Upgrade" not in call.request.headers:
                sent.append((call.request.method, str(call.request.rel_url), await call.request.read()))

    return Recorder(engine.faults, None)


@pytest.fixture
def serving() -> Callable[..., AbstractAsyncContextManager[Served]]:
    """Brings up a cluster of its own: names of engines, rules, more settings of the policy."""
    return serve


def rule(address: str = ALICE, **settings: Any) -> dict[str, Any]:
    return {"clients": [f"ip:{address}"], "allow": ["run"], **settings}


TENANTS = {
    "alice": rule(ALICE, owner="tenant=alice", profile="baseline"),
    "bob": rule(BOB, owner="tenant=bob", profile="baseline"),
    "admin": rule(ADMIN, allow=["all"], profile="privileged"),
}


@pytest.fixture
async def baseline() -> AsyncIterator[Served]:
    """One engine; alice may run what `baseline` takes."""
    async with serve("n1", rules={"alice": rule(profile="baseline")}) as served:
        yield served


@pytest.fixture
async def restricted() -> AsyncIterator[Served]:
    """One engine; alice may run what `restricted` takes."""
    async with serve("n1", rules={"alice": rule()}) as served:
        yield served


@pytest.fixture
async def tenants() -> AsyncIterator[Served]:
    """Two engines; alice and bob, each with a label of their own, and an admin."""
    async with serve("n1", "n2", rules=TENANTS) as served:
        yield served
