"""What `docker info` shows of each node, made again only where the node has changed: of a thousand nodes, few have since the last time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from skep import ContainerState, NodeState

__all__ = ["NodeSummaries", "NodeSummary", "by_state"]

Rows = Callable[[NodeState], Iterable[tuple[str, str]]]

_STOPPED = (ContainerState.CREATED, ContainerState.EXITED, ContainerState.DEAD, ContainerState.REMOVING)


@dataclass(frozen=True, slots=True)
class NodeSummary:
    """Of one node at one version of it: counts, drivers in use, and its rows of `SystemStatus` as JSON, without the brackets around all."""

    version: int
    running: int
    paused: int
    stopped: int
    images: int
    volume_drivers: frozenset[str]
    network_drivers: frozenset[str]
    rows: bytes


class NodeSummaries:
    """Keeps the summaries of the nodes that there are."""

    def __init__(self) -> None:
        self._kept: dict[str, NodeSummary] = {}

    def of(self, nodes: Iterable[NodeState], rows: Rows) -> list[NodeSummary]:
        """Of each node, in their order. `rows` makes those of one node, from what is known of it alone."""
        kept = self._kept
        self._kept = {node.name: self._of(node, kept.get(node.name), rows) for node in nodes}
        return list(self._kept.values())

    @staticmethod
    def _of(node: NodeState, kept: NodeSummary | None, rows: Rows) -> NodeSummary:
        if kept is not None and kept.version == node.version:
            return kept
        return NodeSummary(
            node.version,
            *by_state(node),
            images=len(node.images),
            volume_drivers=frozenset(volume.driver for volume in node.volumes),
            network_drivers=frozenset(network.driver for network in node.networks if network.driver),
            rows=b",".join(_encoded(rows(node))),
        )


def by_state(node: NodeState) -> tuple[int, int, int]:
    """How many containers run, are paused, are stopped; those that are only planned yet are none."""
    states = [each.state for each in node.containers.values() if each.state is not ContainerState.PENDING]
    paused, stopped = states.count(ContainerState.PAUSED), sum(state in _STOPPED for state in states)
    return len(states) - paused - stopped, paused, stopped


def _encoded(rows: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    return (msgspec.json.encode(row) for row in rows)
