"""All nodes' events as one stream: the latest are remembered, and whoever listens is told.

An engine's event carries its node in the ways of a Swarm manager; nodes that come and go make events of the type `swarm`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from skep import (
    Agent,
    EngineEvents,
    Node,
    NodeEvent,
    NodeJoined,
    NodeLeft,
    NodeRecovered,
    NodeUnhealthy,
    SkepError,
    TemporaryError,
)
from skep_docker_api.nodes import ask_all, healthy_nodes

__all__ = ["EventLog", "MergedEvent", "Reader"]

REMEMBERED = 1000
REMEMBERED_BYTES = 16 * 2**20
_MOST_WAITING = 10_000
_MOST_BYTES = 64 * 2**20
_MOST_PAST = 1000  # lines of an engine's past; engines remember 256
_PATIENCE = 10.0  # seconds that a node has to tell of the past
_ACTIONS: dict[type[NodeEvent], str] = {
    NodeJoined: "engine_connect",
    NodeLeft: "engine_disconnect",
    NodeUnhealthy: "engine_disconnect",
    NodeRecovered: "engine_reconnect",
}

_log = logging.getLogger("skep.plugins.docker_api")


@dataclass(frozen=True, slots=True)
class MergedEvent:
    """One event: nanoseconds since the epoch by its node's clock, what tells it from others, and the event itself, decoded.

    `size` is how many bytes it had.
    """

    at: int
    key: tuple[object, ...]
    value: dict[str, Any]
    size: int = 0


@dataclass(slots=True, eq=False)
class Reader:
    """One listener. Iterating ends when the log closes, and raises TemporaryError once more than 10,000 events, or 64 MiB of them, wait."""

    waiting: deque[MergedEvent] = field(default_factory=deque)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    closed: bool = False
    overrun: bool = False
    size: int = 0

    def put(self, event: MergedEvent) -> None:
        """Queue an event."""
        if len(self.waiting) < _MOST_WAITING and self.size + event.size <= _MOST_BYTES:
            self.waiting.append(event)
            self.size += event.size
        else:
            self.overrun = True
        self.wake.set()

    def close(self) -> None:
        """End the iteration."""
        self.closed = True
        self.wake.set()

    async def __aiter__(self) -> AsyncIterator[list[MergedEvent]]:
        while not self.closed:
            await self.wake.wait()
            self.wake.clear()
            if self.overrun:
                raise TemporaryError(f"a reader of events was cut off: {len(self.waiting)} events waited for it")
            batch = list(self.waiting)
            self.waiting.clear()
            self.size = 0
            if batch:
                yield batch


class EventLog:
    """Collects the events of all nodes; they are told once the cluster's state knows of them."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._recent: deque[MergedEvent] = deque()
        self._recent_bytes = 0
        self._readers: set[Reader] = set()
        self._complete_from = time.time_ns()
        self._ended = False

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._readers)

    async def run(self) -> None:
        """Collect until it is cancelled; all streams end with it."""
        self._complete_from = time.time_ns()
        try:
            async with self._agent.cluster.engine_events() as queue, asyncio.TaskGroup() as group:
                group.create_task(self._collect(queue), name="docker_api: events of engines")
                group.create_task(self._collect_nodes(), name="docker_api: events of nodes")
        finally:
            self.close_readers()

    def end(self) -> None:
        """End all streams, and those that begin from now on as well: a client asks again at once, while the server stops."""
        self._ended = True
        self.close_readers()

    def close_readers(self) -> None:
        """End all streams."""
        for reader in list(self._readers):
            reader.close()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Listen from now on."""
        reader = Reader(closed=self._ended)
        self._readers.add(reader)
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    async def _collect(self, events: EngineEvents) -> None:
        async for name, event in events:
            state = self._agent.cluster.state.get_node(name)
            if state is not None and (merged := _merged(state.node, event.raw)):
                self._add(merged)
        raise TemporaryError(f"the nodes' events are lost for a moment: {events.note}")

    async def _collect_nodes(self) -> None:
        async with aclosing(self._agent.events()) as stream:
            async for event in stream:
                if isinstance(event, NodeEvent) and (action := _ACTIONS.get(type(event))):
                    self._add(_of_manager(event, action))

    def _add(self, event: MergedEvent) -> None:
        self._recent.append(event)
        self._recent_bytes += event.size
        while len(self._recent) > REMEMBERED or self._recent_bytes > REMEMBERED_BYTES:
            oldest = self._recent.popleft()
            self._recent_bytes -= oldest.size
            self._complete_from = max(self._complete_from, oldest.at + 1)
        for reader in self._readers:
            reader.put(event)

    async def past(self, since: int, until: int) -> list[MergedEvent]:
        """What happened between two moments (nanoseconds), in the order of time. `until` is not much later than now.

        What is older than the log itself is asked of the nodes that answer; engines remember their last 256 events.
        """
        found = {event.key: event for event in self._recent if since <= event.at <= until}
        if since < self._complete_from:
            agent, query = self._agent, {"since": _seconds(since), "until": _seconds(until)}

            async def ask(name: str, engine: Any) -> list[MergedEvent]:
                answer = await engine.call("GET", "/events", query=query, timeout=_PATIENCE)
                state = agent.cluster.state.get_node(name)
                return [m for line in answer.splitlines()[-_MOST_PAST:] if state and (m := _merged(state.node, line))]

            for name, answer in (await ask_all(agent, healthy_nodes(agent), ask, timeout=_PATIENCE)).items():
                if isinstance(answer, SkepError):
                    _log.warning("node %s did not tell its past events: %s", name, answer)
                else:
                    found |= {event.key: event for event in answer if event.key not in found}
        return sorted(found.values(), key=lambda event: event.at)


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9:09d}"


def _merged(node: Node, raw: bytes) -> MergedEvent | None:
    """An engine's event with its node; None where it is not an event."""
    try:
        event = msgspec.json.decode(raw, type=dict[str, Any])
        actor = event.get("Actor") or {}
        at = int(event.get("timeNano") or int(event.get("time") or 0) * 10**9)
        key = (node.name, at, event.get("Type"), event.get("Action"), actor.get("ID"))
        hash(key)
        _mark(event, actor, node)
    except (msgspec.MsgspecError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return MergedEvent(at, key, event, len(raw))


def _mark(event: dict[str, Any], actor: dict[str, Any], node: Node) -> None:
    address = node.address.removeprefix("tcp://")
    if event.get("Type") in (
        "container",
        "image",
    ):  # engines from API 1.52 on do not say it twice, and older clients look here
        event.setdefault("status", event.get("Action"))
        event.setdefault("id", actor.get("ID"))
    if event.get("Type") == "container":
        event.setdefault("from", (actor.get("Attributes") or {}).get("image"))
    event["from"] = f"{event.get('from') or ''} node:{node.name}".lstrip()
    attributes = {"node.name": node.name, "node.id": node.id, "node.addr": address, "node.ip": node.ip}
    event["Actor"] = {**actor, "Attributes": {**(actor.get("Attributes") or {}), **attributes}}
    event["node"] = {"Name": node.name, "Id": node.id, "Addr": address, "Ip": node.ip}


def _of_manager(event: NodeEvent, action: str) -> MergedEvent:
    at = int(event.at * 10**9)
    value: dict[str, Any] = {
        "status": action,
        "id": event.node.id,
        "from": "swarm",
        "Type": "swarm",
        "Action": action,
        "Actor": {"ID": event.node.id, "Attributes": {"name": event.node.name}},
        "scope": "local",
        "time": at // 10**9,
        "timeNano": at,
    }
    _mark(value, value["Actor"], event.node)
    return MergedEvent(at, (event.node.name, at, "swarm", action, event.node.id), value)
