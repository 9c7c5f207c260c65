"""Lifecycle events: the difference between two known states of a node.

They do not come from an engine's event stream, which loses, doubles and reorders; that stream only tells when to look again. So for each
container they alternate properly (created, started, died, …), and none is lost or told twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from skep.models import Container, Node

__all__ = [
    "ContainerCreated",
    "ContainerDestroyed",
    "ContainerDied",
    "ContainerEvent",
    "ContainerHealthChanged",
    "ContainerPaused",
    "ContainerRenamed",
    "ContainerStarted",
    "ContainerUnpaused",
    "ContainerUpdated",
    "LifecycleEvent",
    "Lost",
    "NodeEvent",
    "NodeJoined",
    "NodeLeft",
    "NodeRecovered",
    "NodeUnhealthy",
    "NodeUpdated",
    "PluginEvent",
]


@dataclass(frozen=True, slots=True)
class LifecycleEvent:
    """Base of all. `node` is the node as it is after the event; `at` is when it was noticed, in seconds since the epoch."""

    hook: ClassVar[str] = "lifecycle_event"
    """The hook that is called with it; `lifecycle_event` is called with all."""

    node: Node
    at: float


@dataclass(frozen=True, slots=True)
class NodeEvent(LifecycleEvent):
    """Something happened to a node; `previous` is the node before it (None when it joined)."""

    previous: Node | None = None


@dataclass(frozen=True, slots=True)
class NodeJoined(NodeEvent):
    """An engine was understood for the first time, and its containers are known.

    They are told right after it, as created and (if they run) started, each event with `initial` set.
    """

    hook: ClassVar[str] = "node_joined"


@dataclass(frozen=True, slots=True)
class NodeUpdated(NodeEvent):
    """Labels, resources, version or name of a node changed."""

    hook: ClassVar[str] = "node_updated"


@dataclass(frozen=True, slots=True)
class NodeUnhealthy(NodeEvent):
    """A node does not answer; what was known of it stays, as stale. `node.error` says why."""

    hook: ClassVar[str] = "node_unhealthy"


@dataclass(frozen=True, slots=True)
class NodeRecovered(NodeEvent):
    """A node answers again; what changed meanwhile is told right after it."""

    hook: ClassVar[str] = "node_recovered"


@dataclass(frozen=True, slots=True)
class NodeLeft(NodeEvent):
    """A node is no longer a member, or another engine answers in its place.

    Nothing is told of its containers, and nothing is known of them from now on.
    """

    hook: ClassVar[str] = "node_left"


@dataclass(frozen=True, slots=True)
class ContainerEvent(LifecycleEvent):
    """Something happened to a container, which is as it is after the event (for `destroyed`: as it was last).

    `previous` is the container before it, None where there was none. `initial`: it was so when its node was first understood. Where several
    things happened between two looks, they are told in their order, each with the container as it was then, as far as can be told; the
    cluster's state shows the last of them already.
    """

    container: Container
    previous: Container | None = None
    initial: bool = False


@dataclass(frozen=True, slots=True)
class ContainerCreated(ContainerEvent):
    """A container is there."""

    hook: ClassVar[str] = "container_created"


@dataclass(frozen=True, slots=True)
class ContainerStarted(ContainerEvent):
    """Its process runs."""

    hook: ClassVar[str] = "container_started"


@dataclass(frozen=True, slots=True)
class ContainerHealthChanged(ContainerEvent):
    """Its health check found something else; `container.health` says what."""

    hook: ClassVar[str] = "container_health_changed"


@dataclass(frozen=True, slots=True)
class ContainerPaused(ContainerEvent):
    """Its process is frozen."""

    hook: ClassVar[str] = "container_paused"


@dataclass(frozen=True, slots=True)
class ContainerUnpaused(ContainerEvent):
    """Its process goes on."""

    hook: ClassVar[str] = "container_unpaused"


@dataclass(frozen=True, slots=True)
class ContainerRenamed(ContainerEvent):
    """It has another name; `previous.name` was the old one."""

    hook: ClassVar[str] = "container_renamed"


@dataclass(frozen=True, slots=True)
class ContainerUpdated(ContainerEvent):
    """Something else of it is otherwise than in `previous`: networks, limits, ports.

    Told only where no other event is: what changes together with a start, an end or a new name is in that event's container.
    """

    hook: ClassVar[str] = "container_updated"


@dataclass(frozen=True, slots=True)
class ContainerDied(ContainerEvent):
    """Its process ended; `container.exit_code` says how."""

    hook: ClassVar[str] = "container_died"


@dataclass(frozen=True, slots=True)
class ContainerDestroyed(ContainerEvent):
    """It is gone."""

    hook: ClassVar[str] = "container_destroyed"


@dataclass(frozen=True, slots=True)
class Lost:
    """A plugin was too slow: its oldest `count` events were dropped. It should look at the cluster's state again."""

    count: int


@dataclass(frozen=True, slots=True)
class PluginEvent:
    """Something that one plugin tells the others, by `Agent.tell`.

    `plugin` is its name, `kind` what happened, in words that its README explains; `data` says more, and holds no secret. `at` is in seconds
    since the epoch.
    """

    hook: ClassVar[str] = "plugin_event"
    """The hook that is called with it."""

    plugin: str
    kind: str
    at: float
    data: Mapping[str, Any] = field(default_factory=dict)
