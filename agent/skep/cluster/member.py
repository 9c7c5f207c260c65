"""One engine as a member of the cluster: what its watch tells is written into the state, and published."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from skep import events
from skep.cluster.identities import Identities, IdentityError
from skep.cluster.state import ClusterState, NodeState
from skep.engine import Engine, EngineEvent
from skep.errors import SkepError
from skep.models import Container, Image, Network, Node, NodeStatus, Volume
from skep.settings import ClusterSettings
from skep.watch import Common, Snapshot, Watch, WatchCounters, transitions

__all__ = ["Member", "Shared"]

_log = logging.getLogger("skep.cluster")

Publish = Callable[[events.LifecycleEvent], None]


class Shared:
    """What all members have in common."""

    def __init__(self, settings: ClusterSettings, publish: Publish) -> None:
        self.settings = settings
        self.publish = publish
        self.state = ClusterState()
        self.identities = Identities()
        self.common = Common()
        self.forward: Callable[[str, EngineEvent], None] | None = None
        """Where the engines' own events go; None while nobody listens."""


class Member:
    """The `View` of one engine's watch. `name` is the node's, and the address before it is understood."""

    def __init__(self, engine: Engine, shared: Shared) -> None:
        self.engine = engine
        self.name = engine.address
        self.watch = Watch(engine, self, shared.settings, shared.common)
        self.tried = asyncio.Event()
        self._shared = shared
        self._state = shared.state
        self._publish = shared.publish
        self._joined = False
        self._left = False
        self._state.put_node(Node(name=self.name, address=engine.address))

    @property
    def counters(self) -> WatchCounters:
        """What is counted of this engine, for metrics."""
        return self.watch.counters

    async def refresh_container(self, reference: str) -> Container | None:
        """Read a container again now; see `Cluster.refresh_container`."""
        return await self.watch.refresh_container(reference)

    async def refresh_images(self) -> None:
        """Read the list of images again now."""
        await self.watch.refresh_images()

    async def refresh_networks(self) -> None:
        """Read the list of networks again now."""
        await self.watch.refresh_networks()

    async def refresh_volumes(self) -> None:
        """Read the list of volumes again now."""
        await self.watch.refresh_volumes()

    @property
    def wants_events(self) -> bool:
        """Whether anybody listens."""
        return self._shared.forward is not None

    @property
    def _known(self) -> NodeState:
        state = self._state.get_node(self.name)
        if state is None:
            raise RuntimeError(f"the node {self.name} is not in the state")
        return state

    # -- the node

    def identify(self, node: Node) -> None:
        """Take the engine's id and the node's name for it. Raises IdentityError."""
        try:
            self._shared.identities.claim(node)
        except IdentityError:
            if self._joined:
                self._expel()
            raise

    def _expel(self) -> None:
        """It is not who it was: nothing of what is known is of this engine."""
        node = self._known.node
        self._state.remove_node(self.name)
        self.name, self._joined = self.engine.address, False
        self._state.put_node(Node(name=self.name, address=self.engine.address))
        self._publish(events.NodeLeft(node, time.time(), node))

    def load(self, snapshot: Snapshot) -> None:
        """The first time the node joins; after that, it recovers with the differences."""
        if self._left:
            return
        at = time.time()
        previous = self._known.node
        containers = dict(self._known.containers) if self._joined else {}
        self._move(snapshot.node)
        _warn_of_labels(previous, snapshot.node)
        # All of it is in the state before the first is told of it.
        told: list[events.LifecycleEvent] = []
        for id_ in [*(id_ for id_ in containers if id_ not in snapshot.containers), *snapshot.containers]:
            old, new = containers.get(id_), snapshot.containers.get(id_)
            if old is None or old.id:  # else it is a placement under way
                self._write(id_, old, new)
                told += transitions(old, new, snapshot.node, at, initial=not self._joined)
        self._write_lists(snapshot)
        if not self._joined:
            told.insert(0, events.NodeJoined(snapshot.node, at))
            _log.info("node %s joined: %s, %s containers", self.name, self.engine.address, len(snapshot.containers))
        else:
            told[:0] = self._node_events(previous, snapshot.node, at)
        self._joined = True
        self.tried.set()
        for event in told:
            self._publish(event)

    def _move(self, node: Node) -> None:
        """Put the node into the state; under another name, with what is on it, where its name has changed."""
        if node.name != self.name:
            containers: Mapping[str, Container] = self._known.containers
            self._state.remove_node(self.name)
            self.name = node.name
            self._state.put_node(node)
            for key, container in containers.items():
                self._state.put_container(replace(container, node=node.name), key=key)
        self._state.put_node(node)

    def _write_lists(self, snapshot: Snapshot) -> None:
        if snapshot.images is not None:
            self._state.put_images(self.name, snapshot.images)
        if snapshot.networks is not None:
            self._state.put_networks(self.name, snapshot.networks)
        if snapshot.volumes is not None:
            self._state.put_volumes(self.name, snapshot.volumes)

    def _node_events(self, old: Node, new: Node, at: float) -> list[events.LifecycleEvent]:
        told: list[events.LifecycleEvent] = []
        if old.status is NodeStatus.UNHEALTHY:
            _log.info("node %s recovered", self.name)
            told.append(events.NodeRecovered(new, at, old))
        if _essence(old) != _essence(new):
            told.append(events.NodeUpdated(new, at, old))
        return told

    def failed(self, error: SkepError) -> None:
        """What was known stays, marked."""
        if self._left:
            return
        if not self._joined:
            if not isinstance(error, IdentityError):
                self._shared.identities.release(self.engine.address)
            status = NodeStatus.PENDING
        else:
            status = NodeStatus.UNHEALTHY
        known = self._known.node
        node = replace(known, status=status, error=str(error), failures=known.failures + 1)
        self._state.put_node(node)
        if known.error != node.error:
            _log.warning("node %s is %s: %s", self.name, status, error)
        self.tried.set()
        if known.status is NodeStatus.HEALTHY:
            self._publish(events.NodeUnhealthy(node, time.time(), known))

    def put_node(self, node: Node) -> None:
        """What the engine says of itself."""
        if self._left:
            return
        at = time.time()
        known = self._known.node
        node = replace(node, updated=at)
        self._state.put_node(node)
        _warn_of_labels(known, node)
        for event in self._node_events(known, node, at):
            self._publish(event)

    def leave(self) -> None:
        """Forget the node. Nothing that is told after this is taken up."""
        self._left = True
        self.tried.set()
        node = self._known.node
        self._state.remove_node(self.name)
        self._shared.identities.release(self.engine.address)
        if self._joined:
            _log.info("node %s left: %s", self.name, self.engine.address)
            self._publish(events.NodeLeft(node, time.time(), node))

    # -- what is on it

    def put_container(self, id_: str, container: Container | None) -> None:
        """Write it, then tell."""
        if self._left:
            return
        known = self._known
        old = known.containers.get(id_)
        self._write(id_, old, container)
        for event in transitions(old, container, known.node, time.time()):
            self._publish(event)

    def _write(self, id_: str, old: Container | None, new: Container | None) -> None:
        if new is None:
            self._state.remove_container(self.name, id_)
        elif old != new:
            self._state.put_container(new)

    def put_images(self, images: Sequence[Image]) -> None:
        """All images."""
        if not self._left:
            self._state.put_images(self.name, images)

    def put_networks(self, networks: Sequence[Network]) -> None:
        """All networks."""
        if not self._left:
            self._state.put_networks(self.name, networks)

    def put_volumes(self, volumes: Sequence[Volume]) -> None:
        """All volumes."""
        if not self._left:
            self._state.put_volumes(self.name, volumes)

    def event(self, event: EngineEvent) -> None:
        """Hand one of the engine's events to those who listen."""
        if self._shared.forward is not None and not self._left:
            self._shared.forward(self.name, event)


def _warn_of_labels(old: Node, new: Node) -> None:
    if new.ignored_labels and new.ignored_labels != old.ignored_labels:
        shown = ", ".join(f"{each[:80]!a}" for each in new.ignored_labels[:5])
        _log.warning("node %s: passing over engine labels whose key is taken already: %s", new.name, shown)


def _essence(node: Node) -> Node:
    """The node without what tells of the connection and of the moment."""
    return replace(node, status=NodeStatus.HEALTHY, error="", failures=0, clock_skew=0.0, updated=0.0)
