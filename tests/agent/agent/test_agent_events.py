"""What plugins and listeners hear when something happens on an engine, through the whole agent."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from skep import (
    Agent,
    ContainerCreated,
    ContainerDestroyed,
    ContainerDied,
    ContainerHealthChanged,
    ContainerPaused,
    ContainerRenamed,
    ContainerStarted,
    ContainerUnpaused,
    ContainerUpdated,
    Lost,
    NodeJoined,
    NodeLeft,
    NodeRecovered,
    NodeUnhealthy,
    NodeUpdated,
    Plugin,
    parse_settings,
)
from skep.agent import listening
from skep.testing import EmbeddedEngine, wait_for


class Hears(Plugin):
    """Implements the hook of every event."""

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.heard: list[str] = []

    async def node_joined(self, event: NodeJoined) -> None:
        self.heard.append("joined")

    async def node_updated(self, event: NodeUpdated) -> None:
        self.heard.append("updated")

    async def node_unhealthy(self, event: NodeUnhealthy) -> None:
        self.heard.append("unhealthy")

    async def node_recovered(self, event: NodeRecovered) -> None:
        self.heard.append("recovered")

    async def node_left(self, event: NodeLeft) -> None:
        self.heard.append("left")

    async def container_created(self, event: ContainerCreated) -> None:
        self.heard.append(f"created {event.container.name}{' initial' * event.initial}")

    async def container_started(self, event: ContainerStarted) -> None:
        self.heard.append(f"started {event.container.name}{' initial' * event.initial}")

    async def container_health_changed(self, event: ContainerHealthChanged) -> None:
        self.heard.append(f"health {event.container.health}")

    async def container_paused(self, event: ContainerPaused) -> None:
        self.heard.append("paused")

    async def container_unpaused(self, event: ContainerUnpaused) -> None:
        self.heard.append("unpaused")

    async def container_renamed(self, event: ContainerRenamed) -> None:
        self.heard.append(f"renamed {event.container.name}")

    async def container_updated(self, event: ContainerUpdated) -> None:
        self.heard.append(f"updated {len(event.container.networks)}")

    async def container_died(self, event: ContainerDied) -> None:
        self.heard.append(f"died {event.container.exit_code}")

    async def container_destroyed(self, event: ContainerDestroyed) -> None:
        self.heard.append("destroyed")


def settings(*addresses: str) -> Any:
    return parse_settings({"cluster": {"engines": list(addresses), "ping_interval": 0.1, "ping_timeout": 0.3}})


async def test_a_plugin_hears_everything_in_order() -> None:
    async with EmbeddedEngine("n1") as engine:
        engine.run("old", "nginx")
        async with Agent(settings(engine.url), plugins=[Hears]) as agent:
            heard: list[str] = agent.plugins.plugins["hears"].heard

            async def told(*expected: str) -> None:
                await wait_for(lambda: [each for each in heard if not each.startswith("health")] == list(expected))
                heard.clear()

            await told("joined", "created old initial", "started old initial")
            engine.run("web", "nginx")
            await told("created web", "started web")
            engine.set_health("web", "unhealthy")
            await wait_for(lambda: "health unhealthy" in heard)
            heard.clear()
            engine.pause("web")
            await told("paused")
            engine.unpause("web")
            await told("unpaused")
            engine.rename("web", "shop")
            await told("renamed shop")
            call = agent.cluster.engine("n1").call
            network = json.loads(await call("POST", "/networks/create", json={"Name": "back"}))["Id"]
            await call("POST", f"/networks/{network}/connect", json={"Container": "shop"})
            await told("updated 2")
            engine.kill("shop")
            await told("died 137")
            engine.remove("shop")
            await told("destroyed")
            with engine.faults.hang("/*"):
                await wait_for(lambda: "unhealthy" in heard, 10)
            await wait_for(lambda: "recovered" in heard, 15)
            await agent.cluster.set_engines([])
            await wait_for(lambda: heard[-1] == "left")


async def test_a_plugin_hears_of_a_nodes_new_labels() -> None:
    async with EmbeddedEngine("n1") as engine, Agent(settings(engine.url), plugins=[Hears]) as agent:
        engine.labels["zone"] = "a"
        await engine.restart(live_restore=True)
        await wait_for(lambda: "updated" in agent.plugins.plugins["hears"].heard)


async def test_who_listens_gets_events_from_now_on_and_the_end() -> None:
    async with EmbeddedEngine("n1") as engine:
        async with Agent(settings(engine.url)) as agent:
            stream = agent.events()
            engine.run("web", "nginx")
            event = await asyncio.wait_for(anext(stream), 5)
            assert isinstance(event, ContainerCreated)
            assert event.container.name == "web"
            other = agent.events()
            await other.aclose()
            assert [each async for each in other] == []
        assert ContainerStarted in [type(each) async for each in stream]
        assert [each async for each in agent.events()] == []


async def test_a_slow_listener_is_told_how_many_it_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "SIZE", 3)
    async with EmbeddedEngine("n1") as engine, Agent(settings(engine.url)) as agent:
        stream = agent.events()
        node = agent.cluster.state.nodes[0].node
        for at in range(5):
            agent._publish(NodeUpdated(node, float(at)))
        first = await anext(stream)
        assert first == Lost(2)
        assert [await anext(stream) for _ in range(3)] == [NodeUpdated(node, float(at)) for at in (2, 3, 4)]
