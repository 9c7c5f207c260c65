"""Questions that are asked again and again, kept answered: indexes that follow the state's changes.

The state only notes what changed; an index reads the notes when it is next asked. So a change costs the same however many
indexes there are, and one that nobody asks any more costs nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from skep.models import Container

if TYPE_CHECKING:
    from skep.cluster.state import NodeState

__all__ = ["ContainerIndex", "NodeIndex", "Standing"]

_MOST_INDEXES = 64  # of each kind; the one that was not asked for the longest time goes first
_MOST_NOTES = 4096  # an index that missed more is made anew


class _Note(NamedTuple):
    """A container came to a node (1), or went (-1); 0: something else about the node changed."""

    node: NodeState
    container: Container | None
    change: int


class ContainerIndex:
    """From a key to the nodes that hold a container with that key, as a mask. `keys_of` gives a container's keys."""

    __slots__ = ("_counts", "_keys_of", "masks", "position")

    def __init__(self, keys_of: Callable[[Container], Iterable[Hashable]], nodes: Sequence[NodeState]) -> None:
        self._keys_of = keys_of
        self._counts: dict[tuple[Hashable, int], int] = {}
        self.masks: dict[Hashable, int] = {}
        self.position = 0
        for node in nodes:
            for container in node.containers.values():
                self.apply(_Note(node, container, 1))

    def apply(self, note: _Note) -> None:
        """Follow one change."""
        if note.container is None:
            return
        ordinal = note.node.ordinal
        for key in self._keys_of(note.container):
            before = self._counts.get((key, ordinal), 0)
            after = before + note.change
            if after:
                self._counts[key, ordinal] = after
                if not before:
                    self.masks[key] = self.masks.get(key, 0) | 1 << ordinal
                continue
            del self._counts[key, ordinal]
            left = self.masks[key] & ~(1 << ordinal)
            if left:
                self.masks[key] = left
            else:
                del self.masks[key]


class NodeIndex:
    """The nodes grouped by `rank_of`, smallest first; a node whose rank is None is in no group."""

    __slots__ = ("_rank_of", "_ranks", "masks", "order", "position")

    def __init__(self, rank_of: Callable[[NodeState], Any], nodes: Sequence[NodeState]) -> None:
        self._rank_of = rank_of
        self._ranks: dict[int, Any] = {}
        self.masks: dict[Any, int] = {}
        self.order: list[Any] = []
        self.position = 0
        for node in nodes:
            self.apply(_Note(node, None, 0))

    def apply(self, note: _Note) -> None:
        """Follow one change: of a node's own rank, whatever changed on it."""
        ordinal, bit = note.node.ordinal, 1 << note.node.ordinal
        old, new = self._ranks.get(ordinal), self._rank_of(note.node)
        if old == new:
            return
        if old is not None:
            left = self.masks[old] & ~bit
            if left:
                self.masks[old] = left
            else:
                del self.masks[old]
                del self.order[bisect_left(self.order, old)]
        self._ranks[ordinal] = new
        if new is not None:
            if new not in self.masks:
                insort(self.order, new)
            self.masks[new] = self.masks.get(new, 0) | bit


_Index = TypeVar("_Index", ContainerIndex, NodeIndex)


class Standing:
    """All indexes of one state, and the notes that they follow."""

    __slots__ = ("_containers", "_first", "_nodes", "_notes")

    def __init__(self) -> None:
        self._containers: OrderedDict[Hashable, ContainerIndex] = OrderedDict()
        self._nodes: OrderedDict[Hashable, NodeIndex] = OrderedDict()
        self._notes: list[_Note] = []
        self._first = 0  # the number of the first note that is kept

    def forget(self) -> None:
        """The order of the nodes has changed: all indexes are made anew."""
        self._containers.clear()
        self._nodes.clear()
        self._notes.clear()

    def note(self, node: NodeState, container: Container | None = None, change: int = 0) -> None:
        """Take down a change, after it was made."""
        if not self._containers and not self._nodes:
            return
        if len(self._notes) >= _MOST_NOTES:
            del self._notes[: _MOST_NOTES // 2]
            self._first += _MOST_NOTES // 2
        self._notes.append(_Note(node, container, change))

    def containers(
        self, key: Hashable, keys_of: Callable[[Container], Iterable[Hashable]], nodes: Sequence[NodeState]
    ) -> Mapping[Hashable, int]:
        """The masks of the container index of that name."""
        return self._current(self._containers, key, lambda: ContainerIndex(keys_of, nodes)).masks

    def nodes(self, key: Hashable, rank_of: Callable[[NodeState], Any], nodes: Sequence[NodeState]) -> NodeIndex:
        """The node index of that name."""
        return self._current(self._nodes, key, lambda: NodeIndex(rank_of, nodes))

    def _current(self, known: OrderedDict[Hashable, _Index], key: Hashable, make: Callable[[], _Index]) -> _Index:
        end = self._first + len(self._notes)
        index = known.pop(key, None)  # so that what fails on the way is not kept
        if index is None or index.position < self._first:
            index = make()
        else:
            for at in range(index.position - self._first, len(self._notes)):
                index.apply(self._notes[at])
        index.position = end
        known[key] = index
        if len(known) > _MOST_INDEXES:
            known.popitem(last=False)
        return index
