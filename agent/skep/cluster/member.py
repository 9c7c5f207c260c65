"""One engine as a member of the cluster: its state is read, kept, and read again when something may have changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from skep import events
from skep.cluster.state import ClusterState, NodeState
from skep.engine import Engine, EngineEvent
from skep.errors import EngineError, SkepError
from skep.models import (
    Container,
    Node,
    NodeStatus,
    parse_containers,
    parse_images,
    parse_networks,
    parse_node,
    parse_volumes,
)
from skep.watch import transitions

__all__ = ["Member"]


class Member:
    """Watches one engine and writes what it learns into the cluster's state."""

    def __init__(
        self,
        engine: Engine,
        state: ClusterState,
        publish: Callable[[events.LifecycleEvent], None],
        forward: Callable[[str, EngineEvent], None],
    ) -> None:
        self.engine = engine
        self.name = engine.address
        self._state = state
        self._publish = publish
        self._forward = forward
        self.tried = asyncio.Event()
        state.put_node(Node(name=self.name, address=engine.address))

    async def run(self) -> None:
        """Watch for as long as nobody cancels it."""
        while True:
            try:
                await self._watch()
            except SkepError as error:
                self._unhealthy(str(error))
            self.tried.set()
            self.engine.reset()
            await asyncio.sleep(1)

    async def _watch(self) -> None:
        await self.engine.negotiate()
        node = parse_node(await self.engine.call("GET", "/info"), self.engine.address, ip=self.engine.host or "")
        async with self.engine.events(since=int(time.time())) as stream:
            self._healthy(replace(node, api_version=self.engine.api_version or ""))
            await self.refresh()
            self.tried.set()
            async for event in stream:
                if event.type == "container" and not event.action.startswith("exec_"):
                    await self.refresh_container(event.id)
                elif event.type == "image":
                    await self.refresh_images()
                elif event.type in ("network", "volume"):
                    await (self.refresh_networks() if event.type == "network" else self.refresh_volumes())
                self._forward(self.name, event)

    def _healthy(self, node: Node) -> None:
        known = self._state.get_node(self.name)
        if node.name != self.name:
            self._state.remove_node(self.name)
            self.name, known = node.name, None
        self._state.put_node(node)
        if known is None:
            self._publish(events.NodeJoined(node, time.time()))
        elif known.node.status is NodeStatus.UNHEALTHY:
            self._publish(events.NodeRecovered(node, time.time(), known.node))

    def _unhealthy(self, error: str) -> None:
        known = self._state.get_node(self.name)
        if known is None:
            return
        status = NodeStatus.PENDING if known.node.status is NodeStatus.PENDING else NodeStatus.UNHEALTHY
        node = replace(known.node, status=status, error=error, failures=known.node.failures + 1)
        self._state.put_node(node)
        if known.node.status is NodeStatus.HEALTHY:
            self._publish(events.NodeUnhealthy(node, time.time()))

    async def refresh(self) -> None:
        """Read everything again."""
        rows = parse_containers(await self.engine.call("GET", "/containers/json", query={"all": True}), self.name)
        gone = set(self._node.containers) - {row.id for row in rows}
        for id_ in [*gone, *(row.id for row in rows)]:
            await self.refresh_container(id_)
        await self.refresh_images()
        await self.refresh_networks()
        await self.refresh_volumes()

    @property
    def _node(self) -> NodeState:
        node = self._state.get_node(self.name)
        assert node is not None
        return node

    async def refresh_container(self, id_: str) -> Container | None:
        """Read one container again, and tell what changed; None if it is gone."""
        new: Container | None = None
        try:
            new = Container.from_inspect(await self.engine.call("GET", f"/containers/{id_}/json"), self.name)
        except EngineError as error:
            if error.status != 404:
                raise
        old = self._node.containers.get(new.id if new else id_)
        if new is not None:
            self._state.put_container(new)
        else:
            self._state.remove_container(self.name, id_)
        for event in transitions(old, new, self._node.node, time.time()):
            self._publish(event)
        return new

    async def refresh_images(self) -> None:
        """Read the list of images again."""
        self._state.put_images(self.name, parse_images(await self.engine.call("GET", "/images/json"), self.name))

    async def refresh_networks(self) -> None:
        """Read the list of networks again."""
        self._state.put_networks(self.name, parse_networks(await self.engine.call("GET", "/networks"), self.name))

    async def refresh_volumes(self) -> None:
        """Read the list of volumes again."""
        self._state.put_volumes(self.name, parse_volumes(await self.engine.call("GET", "/volumes"), self.name))
