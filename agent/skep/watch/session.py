"""One session with an engine: from the first ping until something breaks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from skep.engine import EngineEvent
from skep.engine.events import EventStream
from skep.errors import EngineError, EngineProtocolError, EngineUnreachableError, SkepError
from skep.models import Container, Image, Network, Node, Volume
from skep.settings import ClusterSettings
from skep.watch.affected import Key, Kind, affected
from skep.watch.common import Common
from skep.watch.counters import WatchCounters
from skep.watch.forwarder import Forwarder
from skep.watch.reads import Reads
from skep.watch.refresher import WORKERS, Refresher
from skep.watch.rows import agrees
from skep.watch.view import Snapshot, View

__all__ = ["Known", "Session"]

_log = logging.getLogger("skep.watch")

OVERLAP = 3
"""Seconds before now from which events are asked for: engines answer before they subscribe, and their clocks are known to 2 s."""
INFO_INTERVAL = 300.0
"""Seconds after which an engine is asked again for its labels and resources."""
ROUNDS = 10
"""Listings within which each container is inspected once although nothing hints at a change: not everything shows in a list."""
MANY_EVENTS = 1000
"""Events since the last listing after which the next one comes soon."""
SHORTEST_PAUSE = 1.0
"""Seconds between two listings."""
MOST_DIRTY = 25_000
"""Things that are to be read; beyond, all are listed again instead."""


@dataclass(slots=True)
class Known:
    """What is known of an engine; it outlives the sessions. `heard`: the time of its last event, by its clock, in ns since the epoch."""

    containers: dict[str, Container] = field(default_factory=dict)
    images: list[Image] | None = None
    networks: list[Network] | None = None
    volumes: list[Volume] | None = None
    heard: int = 0


class Session:
    """Subscribes, lists, applies, and follows; then pings, and lists again from time to time. Run it once."""

    def __init__(
        self,
        reads: Reads,
        view: View,
        settings: ClusterSettings,
        known: Known,
        counters: WatchCounters,
        forwarder: Forwarder,
        loaded: Callable[[], None],
        common: Common,
    ) -> None:
        self.is_loaded = False
        self.settled = asyncio.Event()
        """Set when all is loaded, or never will be."""
        self.refresher: Refresher[Key] = Refresher(self._read, self._read_failed)
        self.reads = reads
        self._view = view
        self._settings = settings
        self._known = known
        self._counters = counters
        self._loaded = loaded
        self._common = common
        self._node: Node | None = None
        self._node_read = 0.0
        self._suspects: set[str] = set()
        self._round = random.randrange(ROUNDS)  # noqa: S311 - so that many nodes do not do it in step
        self._forwarder = forwarder
        self._since_listed = 0
        self._hurry = asyncio.Event()
        self._complained: set[Key] = set()

    async def run(self) -> None:
        """Only ever raises: SkepError in an ExceptionGroup, for whatever ended the session."""
        async with contextlib.AsyncExitStack() as turn:
            await turn.enter_async_context(self._common.connecting.one())
            await self.reads.ping(self._settings.ping_timeout)
            async with asyncio.TaskGroup() as group:
                await self._in_group(group, turn)
        raise AssertionError("a session ends by what breaks it")

    async def _in_group(self, group: asyncio.TaskGroup, turn: contextlib.AsyncExitStack) -> None:
        address = self.reads.engine.address
        group.create_task(self._heartbeat(), name=f"ping {address}")
        await self.reads.engine.negotiate()
        node = await self._read_node()
        self._view.identify(node)
        self._node, self.reads.name = node, node.name
        if any(container.node != node.name for container in self._known.containers.values()):
            self._known.containers.clear()  # they carry the name that the node had
        async with self.reads.engine.events(since=self._since(node)) as stream:
            following = group.create_task(self._follow(stream, node), name=f"follow {address}")
            await turn.aclose()
            for number in range(WORKERS):
                group.create_task(self.refresher.work(), name=f"refresh {address} {number}")
            async with self._common.reading.one():
                await self._load()
            group.create_task(self._resync(), name=f"resync {address}")
            await following

    def _since(self, node: Node) -> str:
        now = time.time() + node.clock_skew - OVERLAP
        heard = self._known.heard or now * 1e9
        return f"{max(0.0, min(now, heard / 1e9)):.3f}"

    async def _read_node(self) -> Node:
        node = await self.reads.node()
        self._node_read = asyncio.get_running_loop().time()
        return node

    async def _heartbeat(self) -> None:
        """Ping when the engine has said nothing for a while: one that answers other reads lives."""
        loop = asyncio.get_running_loop()
        while True:
            pause = self._common.ping_interval(self._settings.ping_interval) * random.uniform(0.8, 1.0)  # noqa: S311 - not in step
            await asyncio.sleep(max(0.0, self.reads.answered + pause - loop.time()))
            if loop.time() >= self.reads.answered + pause:
                await self.reads.ping(self._settings.ping_timeout)

    # -- from the beginning

    async def _load(self) -> None:
        """Read everything, and tell it as a whole."""
        rows = await self.reads.rows()
        keys: list[Key] = [(kind, "") for kind in (Kind.IMAGES, Kind.NETWORKS, Kind.VOLUMES)]
        keys += [(Kind.CONTAINER, id_) for id_ in dict.fromkeys([*(row.id for row in rows), *self._known.containers])]
        await asyncio.wait([self.refresher.ask(key) for key in keys])
        assert self._node is not None
        known = self._known
        self._counters.sessions += 1
        self.is_loaded = True
        self._loaded()
        self._view.load(
            Snapshot(self._node, dict(known.containers), known.images, known.networks, known.volumes),
        )
        self.settled.set()

    # -- from event to event

    async def _follow(self, stream: EventStream, node: Node) -> None:
        """Mark what events hint at. Those that are known from the last session, or are older than this one, are not handed on."""
        old = self._known.heard or int((time.time() + node.clock_skew) * 1e9)
        skipped = 0
        async for event in stream:
            self._counters.events += 1
            self._since_listed += 1
            if self._since_listed > MANY_EVENTS:
                self._hurry.set()
            self._counters.skipped += stream.skipped - skipped
            skipped = stream.skipped
            reads = self._mark(event)
            if event.time_nano > old or self.is_loaded:
                old = 0  # from now on they come as they happen, and an engine's clock may go back
                if self._view.wants_events and not self._forwarder.put(
                    event, [self.refresher.ask(key) for key in reads]
                ):
                    self._counters.skipped += 1
            self._known.heard = event.time_nano or self._known.heard
        raise EngineUnreachableError(f"engine {self.reads.engine.address}: its event stream ended")

    def _mark(self, event: EngineEvent) -> list[Key]:
        keys: list[Key] = []
        for key in affected(event):
            is_too_much = len(self.refresher) >= MOST_DIRTY and key not in self.refresher
            keys.append((Kind.CONTAINERS, "") if is_too_much else key)
            self._suspects.discard(key[1])
            self.refresher.mark(keys[-1])
        return keys

    # -- from time to time

    async def _resync(self) -> None:
        while True:
            await self._pause()
            self._round = (self._round + 1) % ROUNDS
            self._counters.resyncs += 1
            self.refresher.mark((Kind.CONTAINERS, ""))
            for kind in (Kind.IMAGES, Kind.NETWORKS, Kind.VOLUMES):
                self.refresher.mark((kind, ""))
            if asyncio.get_running_loop().time() - self._node_read > INFO_INTERVAL:
                self.refresher.mark((Kind.NODE, ""))
            elif self._node is not None:
                self._view.put_node(self._node)

    async def _pause(self) -> None:
        """Wait for the interval, or less when an engine may have thrown events away, as engines do when there are very many."""
        interval = self._common.resync_interval(self._settings.resync_interval)
        interval *= random.uniform(0.8, 1.2)  # noqa: S311 - many nodes not in step
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), max(0.0, interval - SHORTEST_PAUSE))
        await asyncio.sleep(min(interval, SHORTEST_PAUSE))
        self._since_listed = 0
        self._hurry.clear()

    async def _compare(self) -> None:
        """List the containers, and look at those again that are not what is known of them, or whose turn it is."""
        rows = {row.id: row for row in await self.reads.rows()}
        assert self._node is not None
        now = time.time() + self._node.clock_skew
        containers = self._known.containers
        for id_ in [*rows, *(id_ for id_ in containers if id_ not in rows)]:
            row, container = rows.get(id_), containers.get(id_)
            is_due = zlib.crc32(id_.encode()) % ROUNDS == self._round
            if is_due or row is None or container is None or not agrees(row, container, now):
                if (Kind.CONTAINER, id_) not in self.refresher:
                    self._suspects.add(id_)
                self.refresher.mark((Kind.CONTAINER, id_))

    # -- what the refresher does

    async def _read(self, key: Key) -> None:
        kind, id_ = key
        known, view, reads = self._known, self._view, self.reads
        match kind:
            case Kind.CONTAINER:
                self._apply(id_, await reads.container(id_))
            case Kind.CONTAINERS:
                await self._compare()
            case Kind.IMAGES:
                images = await reads.images()
                if images != known.images:
                    known.images = images
                    if self.is_loaded:
                        view.put_images(images)
            case Kind.NETWORKS:
                networks = await reads.networks()
                if networks != known.networks:
                    known.networks = networks
                    if self.is_loaded:
                        view.put_networks(networks)
            case Kind.VOLUMES:
                volumes = await reads.volumes()
                if volumes != known.volumes:
                    known.volumes = volumes
                    if self.is_loaded:
                        view.put_volumes(volumes)
            case Kind.NODE:
                self._put_node(await self._read_node())
        if key in self._complained:
            self._complained.discard(key)
            _log.info("node %s: %s can be read again", reads.name, _name(key))

    def _apply(self, id_: str, container: Container | None) -> None:
        containers = self._known.containers
        old = containers.get(id_)
        is_gap = id_ in self._suspects and old != container
        self._suspects.discard(id_)
        if container is None:
            containers.pop(id_, None)
        elif old != container:  # an equal one is the one that the view holds
            containers[container.id] = container
        if old == container or not self.is_loaded:
            return
        self._counters.gaps += is_gap
        self._view.put_container(id_, container)

    def _put_node(self, node: Node) -> None:
        assert self._node is not None
        if (node.id, node.name) != (self._node.id, self._node.name):
            raise _IsAnotherError(
                f"engine {node.address}: it was {self._node.name} ({self._node.id}) and now is {node.name} ({node.id})"
            )
        self._node = node
        if self.is_loaded:
            self._view.put_node(node)

    def _read_failed(self, key: Key, error: SkepError) -> None:
        """What makes no sense ends the session, except for a single container's; what fails for now is tried again."""
        self._counters.read_errors += 1
        is_essential = key[0] in (Kind.CONTAINERS, Kind.NODE) and isinstance(error, EngineError)
        if isinstance(error, _IsAnotherError) or is_essential:
            raise error
        if isinstance(error, EngineProtocolError) and key[0] is not Kind.CONTAINER:
            raise error
        if key not in self._complained:
            self._complained.add(key)
            _log.warning("node %s: cannot read %s, and try on: %s", self.reads.name, _name(key), error)


class _IsAnotherError(SkepError):
    """Another engine, or the same by another name, answers at the address."""


def _name(key: Key) -> str:
    return f"container {key[1]}" if key[0] is Kind.CONTAINER else f"its {key[0].name.lower()}"
