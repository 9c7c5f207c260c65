"""The cluster: its members, and the state that they keep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from skep import events
from skep.cluster.member import Member
from skep.cluster.state import ClusterState
from skep.engine import Engine, EngineEvent
from skep.errors import NotFoundError
from skep.models import Container
from skep.settings import ClusterSettings

__all__ = ["Cluster"]


class Cluster:
    """All engines and what is known of them. `state` is read at any time, without I/O."""

    def __init__(self, settings: ClusterSettings, publish: Callable[[events.LifecycleEvent], None]) -> None:
        self.state = ClusterState()
        self.settings = settings
        self._publish = publish
        self._members: dict[str, tuple[Member, asyncio.Task[None]]] = {}
        self._listeners: set[asyncio.Queue[tuple[str, EngineEvent]]] = set()
        self._group: asyncio.TaskGroup | None = None

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Take the task group that owns the members' tasks."""
        self._group = group

    async def set_engines(self, addresses: Iterable[str]) -> None:
        """Make exactly these the members: those that are not named leave, before new ones join."""
        wanted = dict.fromkeys(addresses)
        for address in [a for a in self._members if a not in wanted]:
            member, task = self._members.pop(address)
            task.cancel()
            await asyncio.wait([task])
            self.state.remove_node(member.name)
            await member.engine.aclose()
        for address in wanted:
            if address not in self._members and self._group is not None:
                engine = Engine(
                    address, connect_timeout=self.settings.connect_timeout, read_timeout=self.settings.call_timeout
                )
                member = Member(engine, self.state, self._publish, self._forward)
                self._members[address] = member, self._group.create_task(member.run(), name=f"watch {address}")

    async def tried(self) -> None:
        """Return when each member has been understood, or has failed, once."""
        for member, _ in list(self._members.values()):
            await member.tried.wait()

    async def aclose(self) -> None:
        """Close all connections."""
        for member, _ in self._members.values():
            await member.engine.aclose()

    def member(self, node: str) -> Member:
        """The member of that node name. Raises NotFoundError."""
        for member, _ in self._members.values():
            if member.name == node:
                return member
        raise NotFoundError(f"No such node: {node}")

    def engine(self, node: str) -> Engine:
        """The client of a node's engine. Raises NotFoundError."""
        return self.member(node).engine

    async def refresh_container(self, node: str, id_: str) -> Container | None:
        """Read one container again now; None if it is gone. For whoever changed it, before telling that it is done."""
        return await self.member(node).refresh_container(id_)

    def _forward(self, node: str, event: EngineEvent) -> None:
        for queue in self._listeners:
            queue.put_nowait((node, event))

    @asynccontextmanager
    async def engine_events(self) -> AsyncIterator[asyncio.Queue[tuple[str, EngineEvent]]]:
        """All engines' own events, as they come from now on, with their nodes' names; the state knows of them already."""
        queue: asyncio.Queue[tuple[str, EngineEvent]] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
