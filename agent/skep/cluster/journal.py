"""What the cluster was like a moment ago: kept by what changes, so that nothing is copied that stays as it is.

A moment is marked, which costs nothing; the first change to a node afterwards keeps the node as it was. To look back, each node is
taken as it was first kept since the moment, or as it still is. Containers, images and so on are immutable and kept by
reference; the copy of a node is that of one dict.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skep.models import Container, Image, Network, Node, Volume

if TYPE_CHECKING:
    from skep.cluster.state import NodeState

__all__ = ["Journal", "PastNode"]

_NODE = 400  # bytes of a kept node without containers
_CONTAINER = 56  # bytes of its dict, for each
_REPLACED = 2048  # bytes of what it alone holds now: the container, or the list, that the change replaces
_NAME = 8  # bytes of a node in a kept order


@dataclass(frozen=True, slots=True)
class PastNode:
    """A node as it was; `containers` in their order, by the keys of `NodeState.containers`."""

    node: Node
    containers: Mapping[str, Container]
    images: Sequence[Image]
    networks: Sequence[Network]
    volumes: Sequence[Volume]

    @classmethod
    def of(cls, state: NodeState) -> PastNode:
        """A node as it is."""
        return cls(state.node, dict(state.containers), state.images, state.networks, state.volumes)


@dataclass(slots=True)
class _Epoch:
    """What was kept between one moment and the next."""

    moment: int
    nodes: dict[NodeState, PastNode] = field(default_factory=dict)
    order: list[NodeState] | None = None
    size: int = 0


class Journal:
    """Keeps up to `most` bytes, as estimated, of what nodes were like at the moments that were marked; the oldest are forgotten first."""

    def __init__(self, order: list[NodeState]) -> None:
        self.most = 0
        self._order = order
        self._epochs: deque[_Epoch] = deque()
        self._moment = 0
        self._size = 0
        self._names: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all nodes in their order now; the same object until it changes."""
        if self._names is None:
            self._names = tuple(state.name for state in self._order)
        return self._names

    @property
    def size(self) -> int:
        """How many bytes are kept, about."""
        return self._size

    def mark(self) -> int:
        """Mark this moment, to be looked back at; 0, which never can be, where nothing is kept."""
        if not self.most:
            return 0
        if not self._epochs or self._epochs[-1].size:
            self._moment += 1
            self._epochs.append(_Epoch(self._moment))
        return self._epochs[-1].moment

    def changing(self, state: NodeState) -> None:
        """A node is about to change."""
        if self._epochs and state not in self._epochs[-1].nodes:
            self._epochs[-1].nodes[state] = PastNode.of(state)
            heavy = sum(state.heavy.values()) if state.heavy else 0
            self._grow(_NODE + _REPLACED + _CONTAINER * len(state.containers) + heavy)

    def moving(self) -> None:
        """A node is about to join or to leave."""
        self._names = None
        if self._epochs and self._epochs[-1].order is None:
            self._epochs[-1].order = list(self._order)
            self._grow(_NODE + _NAME * len(self._order))

    def _grow(self, size: int) -> None:
        self._epochs[-1].size += size
        self._size += size
        while self._epochs and self._size > self.most:
            self._size -= self._epochs.popleft().size

    def forget_before(self, moment: int) -> None:
        """Nobody will look back further than this moment."""
        while self._epochs and self._epochs[0].moment < moment:
            self._size -= self._epochs.popleft().size

    def reaches(self, moment: int) -> bool:
        """Whether that moment can still be looked back at."""
        return bool(self._epochs) and 0 < self._epochs[0].moment <= moment

    def nodes_at(self, moment: int) -> list[PastNode] | None:
        """All nodes in their order as they were at a marked moment; None where that is forgotten."""
        if not self.reaches(moment):
            return None
        kept: dict[NodeState, PastNode] = {}
        order: list[NodeState] | None = None
        for epoch in self._since(moment):
            kept = {**epoch.nodes, **kept}
            order = epoch.order if order is None else order
        return [kept.get(state) or PastNode.of(state) for state in (self._order if order is None else order)]

    def _since(self, moment: int) -> Iterable[_Epoch]:
        return (epoch for epoch in self._epochs if epoch.moment >= moment)
