"""The cluster: its members, and the state that they keep."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from skep import events
from skep.cluster.listeners import EngineEvents
from skep.cluster.member import Member, Shared
from skep.cluster.state import ClusterState
from skep.engine import TLS, Engine, EngineEvent
from skep.errors import NotFoundError, SettingsError, SkepError
from skep.models import Container
from skep.settings import ClusterSettings

__all__ = ["Cluster"]

_log = logging.getLogger("skep.cluster")

_LAST_DELAY = 30.0  # seconds until a member whose watch crashed is watched again


@dataclass(slots=True)
class _Seat:
    """A member with the task that watches it."""

    member: Member
    task: asyncio.Task[None]


class Cluster:
    """All engines and what is known of them. `state` is read at any time, without I/O."""

    def __init__(self, settings: ClusterSettings, publish: Callable[[events.LifecycleEvent], None]) -> None:
        self.settings = settings
        self._shared = Shared(settings, publish)
        self._seats: dict[str, _Seat] = {}
        self._listeners: set[EngineEvents] = set()
        self._group: asyncio.TaskGroup | None = None
        self._changing = asyncio.Lock()

    @property
    def state(self) -> ClusterState:
        """What is known of all nodes."""
        return self._shared.state

    # -- who is a member

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Take the task group that owns the members' tasks."""
        self._group = group

    async def set_engines(self, addresses: Iterable[str]) -> None:
        """Make exactly these the members: those that are not named leave, before new ones join.

        Addresses that mean the same (`tcp://host:2375`, `host:2375`) are one. A wrong one raises SettingsError if it comes from the settings, else
        it is left out and logged. Calls take effect one after the other; who has left when this is cancelled, has left.
        """
        wanted = {engine.address: engine for engine in self._engines(addresses)}
        async with self._changing:
            leaving = [self._seats.pop(address) for address in list(self._seats) if address not in wanted]
            for seat in leaving:
                seat.task.cancel()
                seat.member.leave()
            if leaving:
                await asyncio.wait([seat.task for seat in leaving])
            if self._group is not None:
                for address, engine in wanted.items():
                    if address not in self._seats:
                        member = Member(engine, self._shared)
                        task = self._group.create_task(self._keep(member), name=f"watch {address}")
                        self._seats[address] = _Seat(member, task)

    def _engines(self, addresses: Iterable[str]) -> Iterator[Engine]:
        """A client for each address; making one costs nothing until it is used."""
        told = self.settings.tls
        tls = TLS(_path(told.ca), _path(told.cert), _path(told.key), told.verify) if told is not None else None
        for address in addresses:
            try:
                yield Engine(
                    address,
                    tls=None if address.startswith("unix://") else tls,
                    connect_timeout=self.settings.connect_timeout,
                    read_timeout=self.settings.call_timeout,
                )
            except SettingsError as error:
                if address in self.settings.engines:
                    raise
                _log.error("left out of the cluster: %s", error)

    async def _keep(self, member: Member) -> None:
        """Watch a member. A bug in doing so is told, and costs this member a pause, and the others nothing."""
        crashes = 0
        try:
            while True:
                try:
                    await member.watch.run()
                except Exception as error:
                    crashes = member.counters.crashes = member.counters.crashes + 1
                    _log.exception(
                        "watching node %s crashed, which is a bug of ours; it goes on in a while", member.name
                    )
                    member.failed(SkepError(f"internal error: {type(error).__name__}: {error}"))
                await asyncio.sleep(min(_LAST_DELAY, 2.0 ** min(crashes, 16) / 2))
        finally:
            await member.engine.aclose()

    async def tried(self, timeout: float = 10.0) -> None:
        """Return when each member has been understood, or has failed, once; or after `timeout` seconds."""
        waiting = [asyncio.ensure_future(seat.member.tried.wait()) for seat in self._seats.values()]
        if waiting:
            try:
                await asyncio.wait(waiting, timeout=timeout)
            finally:
                for each in waiting:
                    each.cancel()

    async def aclose(self) -> None:
        """Close all connections."""
        for seat in list(self._seats.values()):
            await seat.member.engine.aclose()

    # -- one member

    def member(self, node: str) -> Member:
        """The member of that node name (of that address, while it is pending). Raises NotFoundError."""
        seat = self._seats.get(self._shared.identities.address_of(node) or node)
        if seat is None or seat.member.name != node:
            raise NotFoundError(f"No such node: {node}")
        return seat.member

    def engine(self, node: str) -> Engine:
        """The client of a node's engine. Raises NotFoundError."""
        return self.member(node).engine

    async def refresh_container(self, node: str, id_: str) -> Container | None:
        """Read one container again now; None if it is gone. For whoever changed it, before telling that it is done.

        What is read is at least as new as this call. Raises NotFoundError, and as `Engine.call`.
        """
        return await self.member(node).watch.refresh_container(id_)

    async def refresh_images(self, node: str) -> None:
        """Read a node's list of images again. As `refresh_container`."""
        await self.member(node).watch.refresh_images()

    async def refresh_networks(self, node: str) -> None:
        """Read a node's list of networks again. As `refresh_container`."""
        await self.member(node).watch.refresh_networks()

    async def refresh_volumes(self, node: str) -> None:
        """Read a node's list of volumes again. As `refresh_container`."""
        await self.member(node).watch.refresh_volumes()

    # -- the engines' own events

    @asynccontextmanager
    async def engine_events(self) -> AsyncIterator[EngineEvents]:
        """All engines' own events, as they come from now on, with their nodes' names; the state knows of them already."""
        listener = EngineEvents()
        self._listeners.add(listener)
        self._shared.forward = self._forward
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            if not self._listeners:
                self._shared.forward = None

    def _forward(self, node: str, event: EngineEvent) -> None:
        for listener in self._listeners:
            was_cut_off = bool(listener.note)
            listener.put(node, event)
            if listener.note and not was_cut_off:
                _log.warning("a listener to the engines' events is %s", listener.note)


def _path(text: str) -> Path | None:
    return Path(text) if text else None
