"""A cluster that is observed: what it told, and whether that is well-formed and true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import msgspec

from skep import events
from skep.cluster import Cluster
from skep.engine import Engine
from skep.errors import TemporaryError
from skep.models import Container, NodeStatus
from skep.settings import ClusterSettings

QUICK = ClusterSettings(ping_interval=0.2, ping_timeout=0.5, call_timeout=1.0, resync_interval=0.2, connect_timeout=0.5)

_AFTER = {
    "": {"created"},
    "down": {"started", "renamed", "updated", "destroyed"},
    "up": {"died", "paused", "renamed", "updated", "health_changed"},
    "paused": {"unpaused", "renamed", "updated", "health_changed"},
}
_TO = {
    "created": "down",
    "started": "up",
    "paused": "paused",
    "unpaused": "up",
    "died": "down",
    "destroyed": "",
}


def check_word(told: Iterable[events.ContainerEvent]) -> Container | None:
    """Assert that one container's events follow one another as they must; return the container that they end in."""
    state, last = "", None
    word = []
    for event in told:
        action = event.hook.removeprefix("container_")
        word.append(action)
        assert action in _AFTER[state], f"{action} cannot follow: {word}"
        assert _same(event.previous, last), f"{action} does not begin where the last one ended: {word}"
        state = _TO.get(action, state)
        last = None if action == "destroyed" else event.container
        if last is not None:
            assert state == {"running": "up", "paused": "paused"}.get(last.state, "down"), word
    return last


class Observed:
    """`cluster`, and in `told` all that it told."""

    def __init__(self, settings: ClusterSettings) -> None:
        self.told: list[events.LifecycleEvent] = []
        self.cluster = Cluster(settings, self.told.append)

    def of(self, id_: str) -> list[str]:
        """What was told of a container."""
        return [e.hook.removeprefix("container_") for e in self.container_events() if e.container.id == id_]

    def container_events(self) -> list[events.ContainerEvent]:
        return [event for event in self.told if isinstance(event, events.ContainerEvent)]

    def nodes(self, name: str = "") -> list[str]:
        """What was told of nodes."""
        return [
            event.hook.removeprefix("node_")
            for event in self.told
            if isinstance(event, events.NodeEvent) and name in ("", event.node.name)
        ]

    def status(self, name: str) -> NodeStatus | None:
        known = self.cluster.state.get_node(name)
        return known.node.status if known else None

    def known(self, node: str) -> dict[str, Container]:
        state = self.cluster.state.get_node(node)
        return dict(state.containers) if state is not None else {}

    def check_words(self) -> None:
        """Assert that all events are well-formed, and end in what the state holds now; forget the events of nodes that left."""
        by_id: dict[tuple[str, str], list[events.ContainerEvent]] = {}
        for event in self.told:
            if isinstance(event, events.ContainerEvent):
                by_id.setdefault((event.node.name, event.container.id), []).append(event)
            elif isinstance(event, events.NodeLeft):
                by_id = {key: told for key, told in by_id.items() if key[0] != event.node.name}
        ends = {key: check_word(told) for key, told in by_id.items()}
        state = {(c.node, c.id): _essence(c) for c in self.cluster.state.containers()}
        assert {key: _essence(end) for key, end in ends.items() if end is not None} == state


def _same(one: Container | None, other: Container | None) -> bool:
    """Whether both are the same as far as events tell."""
    if one is None or other is None:
        return one is other
    return _essence(one)[:3] == _essence(other)[:3]


def _essence(container: Container) -> tuple[object, ...]:
    state = container.state if container.state.is_up else None
    return container.name, state, container.started_at if state else 0, container.node


@asynccontextmanager
async def observing(*addresses: str, settings: ClusterSettings = QUICK) -> AsyncIterator[Observed]:
    """A cluster of these engines."""
    observed = Observed(settings)
    async with asyncio.TaskGroup() as group:
        await observed.cluster.run(group)
        await observed.cluster.set_engines(addresses)
        await observed.cluster.tried()
        try:
            yield observed
        finally:
            await observed.cluster.set_engines([])


class _Row(msgspec.Struct):
    id: str = msgspec.field(name="Id")


async def truth(address: str, node: str) -> dict[str, Container]:
    """All containers as the engine inspects them now."""
    async with Engine(address) as engine:
        found = {}
        for row in await engine.get("/containers/json", list[_Row], query={"all": True}):
            found[row.id] = Container.from_inspect(await engine.call("GET", f"/containers/{row.id}/json"), node)
        return found


async def eventually(condition: Callable[[], object], seconds: float = 5.0, what: str = "") -> None:
    """Wait until a condition holds; fail after some seconds."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what or condition}") from None


async def until_true(observed: Observed, address: str, node: str, seconds: float = 5.0) -> None:
    """Wait until what is known of an engine is exactly what is there."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        true: dict[str, Container] | TemporaryError
        try:
            true = await truth(address, node)
        except TemporaryError as error:
            true = error
        if observed.known(node) == true and observed.status(node) is NodeStatus.HEALTHY:
            return
        assert loop.time() < end, f"{node} ({observed.status(node)}): known {observed.known(node)}, true {true}"
        await asyncio.sleep(0.02)
