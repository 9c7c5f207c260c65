"""Questions that are asked again and again, kept answered: indexes that follow the state's changes.

The state only notes what changed; an index reads the notes when it is next asked. So a change costs the same however many
indexes there are, and one that nobody asks any more costs nothing. An index knows nodes, not their numbers: when nodes come and go,
and the numbers move, only the masks that are asked for are made anew.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

from skep.cluster.nodeset import NodeSet, mask_of
from skep.models import Container

if TYPE_CHECKING:
    from skep.cluster.state import NodeState

__all__ = ["KeyIndex", "NodeIndex", "Note", "Ranks", "Standing", "TestIndex"]

_MOST_INDEXES = 64  # of each kind; the one that was not asked for the longest time goes first
_MOST_NOTES = 4096  # an index that missed more is made anew
_MOST_WEIGHT = 2**24  # bytes of heavy containers in notes
_KEPT_UP = 8
_MOST_MASKS = 1024  # of one index


class Note(NamedTuple):
    """A container came to a node (1), or went (-1); 0: something else about the node changed, or it joined or left.

    `text` is the container's name and id, one a line.
    """

    node: NodeState
    container: Container | None
    change: int
    text: str


class KeyIndex:
    """From a key to the nodes that hold a container with that key. `keys_of` gives a container's keys."""

    __slots__ = ("_holders", "_keys_of", "_masks", "numbering", "position")

    def __init__(self, keys_of: Callable[[Container], Iterable[Hashable]], nodes: Sequence[NodeState]) -> None:
        self._keys_of = keys_of
        # of a key that one container has, its node: many keys are as distinct as names
        self._holders: dict[Hashable, NodeState | dict[NodeState, int]] = {}
        self._masks: dict[Hashable, int] = {}
        self.numbering = self.position = 0
        for node in nodes:
            for container in node.containers.values():
                for key in keys_of(container):
                    self._add(key, node)

    def apply(self, notes: Sequence[Note]) -> None:
        """Follow changes, in their order."""
        for node, container, change, _ in notes:
            if container is not None:
                count = self._add if change > 0 else self._remove
                for key in self._keys_of(container):
                    if count(key, node) and key in self._masks:
                        self._masks[key] ^= 1 << node.ordinal

    def _add(self, key: Hashable, node: NodeState) -> bool:
        """True when the node is new to the key."""
        known = self._holders.get(key)
        if known is None:
            self._holders[key] = node
            return True
        if not isinstance(known, dict):
            known = self._holders[key] = {known: 1}
        before = known.get(node, 0)
        known[node] = before + 1
        return not before

    def _remove(self, key: Hashable, node: NodeState) -> bool:
        known = self._holders[key]
        if not isinstance(known, dict):
            del self._holders[key]
            return True
        known[node] -= 1
        if known[node]:
            return False
        del known[node]
        if not known:
            del self._holders[key]
        return True

    def renumber(self) -> None:
        """The nodes' numbers have moved."""
        self._masks.clear()

    def __iter__(self) -> Iterator[Hashable]:
        """All keys."""
        return iter(self._holders)

    def counts(self, key: Hashable) -> Mapping[NodeState, int]:
        """The nodes that hold containers with that key, and how many."""
        holders = self._holders.get(key, {})
        return holders if isinstance(holders, dict) else {holders: 1}

    def mask(self, key: Hashable) -> int:
        """The nodes that hold a container with that key."""
        known = self._masks.get(key)
        if known is not None:
            return known
        holders = self._holders.get(key)
        if holders is None:
            return 0
        if not isinstance(holders, dict):
            return 1 << holders.ordinal
        if len(self._masks) >= _MOST_MASKS:
            self._masks.clear()
        mask = self._masks[key] = mask_of(holders)
        return mask


class TestIndex:
    """The nodes that hold a container that passes. `first`, if there is one, tells them at the start quicker than test by test.

    `may`, if there is one, tells of the names and ids of many containers, one a line, whether any of them may pass.
    """

    __slots__ = ("_holders", "_mask", "_may", "_test", "numbering", "position")

    def __init__(
        self,
        test: Callable[[Container], bool],
        nodes: Sequence[NodeState],
        first: Callable[[], Iterable[NodeState]] | None = None,
        may: Callable[[bytes], bool] | None = None,
    ) -> None:
        self._test = test
        self._may = may
        self._holders = set(first() if first is not None else filter(self._passes, nodes))
        self._mask: int | None = None
        self.numbering = self.position = 0

    def _passes(self, node: NodeState) -> bool:
        return any(map(self._test, node.containers.values()))

    def apply(self, notes: Sequence[Note]) -> None:
        """Follow changes. Where one that passes is gone, the node is looked through again: as it is by now, which is as good."""
        may = self._may
        if may is not None and not may("\n".join([note.text for note in notes]).encode("utf-8", "replace")):
            return
        holders, test = self._holders, self._test
        for node, container, change, _ in notes:
            if container is not None and (node in holders) is (change < 0) and test(container):
                self._changed(node, came=change > 0)

    def _changed(self, node: NodeState, *, came: bool) -> None:
        if came:
            self._holders.add(node)
        elif self._passes(node):
            return
        else:
            self._holders.discard(node)
        if self._mask is not None:
            self._mask ^= 1 << node.ordinal

    def renumber(self) -> None:
        """The nodes' numbers have moved."""
        self._mask = None

    @property
    def mask(self) -> int:
        """The nodes as bits."""
        if self._mask is None:
            self._mask = mask_of(self._holders)
        return self._mask


class NodeIndex:
    """The nodes grouped by `rank_of`, smallest first; a node whose rank is None is in no group."""

    __slots__ = ("_masks", "_order", "_rank_of", "_ranks", "numbering", "position")

    def __init__(self, rank_of: Callable[[NodeState], Any], nodes: Sequence[NodeState]) -> None:
        self._rank_of = rank_of
        self._ranks: dict[NodeState, Any] = {}
        self._masks: dict[Any, int] | None = None
        self._order: list[Any] = []
        self.numbering = self.position = 0
        for node in nodes:
            rank = rank_of(node)
            if rank is not None:
                self._ranks[node] = rank

    def apply(self, notes: Sequence[Note]) -> None:
        """Follow changes: of a node's own rank, whatever changed on it and however often."""
        ranks, rank_of = self._ranks, self._rank_of
        for node in {note[0] for note in notes}:
            old = ranks.get(node)
            new = rank_of(node) if node.ordinal >= 0 else None
            if old == new:
                continue
            if new is None:
                del ranks[node]
            else:
                ranks[node] = new
            if self._masks is not None:
                self._move(self._masks, 1 << node.ordinal, old, new)

    def _move(self, masks: dict[Any, int], bit: int, old: Any, new: Any) -> None:
        if old is not None:
            left = masks[old] ^ bit
            if left:
                masks[old] = left
            else:
                del masks[old]
                del self._order[bisect_left(self._order, old)]
        if new is not None:
            if new not in masks:
                insort(self._order, new)
            masks[new] = masks.get(new, 0) | bit

    def renumber(self) -> None:
        """The nodes' numbers have moved."""
        self._masks = None

    def masks(self) -> tuple[list[Any], dict[Any, int]]:
        """The ranks in their order, and the nodes of each as bits."""
        if self._masks is None:
            nodes: dict[Any, list[NodeState]] = {}
            for node, rank in self._ranks.items():
                known = nodes.get(rank)
                if known is None:
                    nodes[rank] = [node]
                else:
                    known.append(node)
            self._masks = {rank: mask_of(found) for rank, found in nodes.items()}
            self._order = sorted(nodes)
        return self._order, self._masks


class Ranks(Sequence[tuple[Any, NodeSet]]):
    """An index's groups as sets of nodes, made as they are read: most often the first one is enough."""

    __slots__ = ("_index", "_masks", "_nodes", "_order", "_shown")

    def __init__(
        self, index: NodeIndex, nodes: list[NodeState], shown: Callable[[Any], Any] = lambda rank: rank
    ) -> None:
        self._order, self._masks = index.masks()
        self._index, self._nodes, self._shown = index, nodes, shown

    def scored(self, score_of: Callable[[Any], float]) -> Ranks:
        """The same groups, with what `score_of` makes of each rank in its place."""
        return Ranks(self._index, self._nodes, score_of)

    def best(self, nodes: NodeSet) -> NodeState | None:
        """The first of `nodes` in the first group that has any; None where none has."""
        masks, wanted = self._masks, nodes.mask
        for rank in self._order:
            if found := masks[rank] & wanted:
                return self._nodes[(found & -found).bit_length() - 1]
        return None

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, at: int) -> tuple[Any, NodeSet]: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[tuple[Any, NodeSet]]: ...
    def __getitem__(self, at: int | slice) -> tuple[Any, NodeSet] | Sequence[tuple[Any, NodeSet]]:
        if isinstance(at, slice):
            return list(self)[at]
        rank = self._order[at]
        return self._shown(rank), NodeSet(self._masks[rank], self._nodes)

    def __iter__(self) -> Iterator[tuple[Any, NodeSet]]:
        return ((self._shown(rank), NodeSet(self._masks[rank], self._nodes)) for rank in self._order)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


_Index = TypeVar("_Index", KeyIndex, NodeIndex, TestIndex)


class Standing:
    """All indexes of one state, and the notes that they follow."""

    __slots__ = ("_containers", "_first", "_nodes", "_notes", "_numbering", "_tests", "_weight")

    def __init__(self) -> None:
        self._containers: OrderedDict[Hashable, KeyIndex] = OrderedDict()
        self._tests: OrderedDict[Hashable, TestIndex] = OrderedDict()
        self._nodes: OrderedDict[Hashable, NodeIndex] = OrderedDict()
        self._notes: list[Note] = []
        self._first = 0  # the number of the first note that is kept
        self._numbering = 0
        self._weight = 0  # of the containers in the notes

    def renumbered(self) -> None:
        """Nodes' numbers have moved."""
        self._numbering += 1

    def note(self, node: NodeState, container: Container | None = None, change: int = 0, weight: int = 0) -> None:
        """Take down a change, after it was made. weight: the container's, 0 for those that take no more than most."""
        if not self._containers and not self._nodes and not self._tests:
            return
        if len(self._notes) >= _MOST_NOTES:
            self._forget(_MOST_NOTES // 2)
        if weight:
            if self._weight + weight > _MOST_WEIGHT:
                self._forget(len(self._notes))
                self._weight = 0
            self._weight += weight
        self._notes.append(Note(node, container, change, f"{container.name}\n{container.id}" if container else ""))

    def _forget(self, count: int) -> None:
        """Forget the oldest notes."""
        self._keep_up()
        del self._notes[:count]
        self._first += count

    def _keep_up(self) -> None:
        """Before notes go: have the indexes of keys that were asked last follow them. To make one anew takes a look at every container."""
        for key in list(self._containers)[-_KEPT_UP:]:
            index = self._containers[key]
            try:
                if index.position >= self._first:
                    self._follow(index)
            except (
                Exception
            ):  # the plugin's own: it will be told when it asks the next time, and the index is made anew
                del self._containers[key]

    def _follow(self, index: KeyIndex | TestIndex | NodeIndex) -> None:
        if index.numbering != self._numbering:
            index.renumber()
        index.numbering = self._numbering
        missed = self._notes[index.position - self._first :]
        if missed:
            index.apply(missed)
            index.position += len(missed)

    def containers(
        self, key: Hashable, keys_of: Callable[[Container], Iterable[Hashable]], nodes: Sequence[NodeState]
    ) -> KeyIndex:
        """The container index of that name."""
        return self._current(self._containers, key, lambda: KeyIndex(keys_of, nodes))

    def has_containers(self, key: Hashable) -> bool:
        """Whether there is a container index of that name."""
        return key in self._containers

    def tests(self, key: Hashable, make: Callable[[], TestIndex]) -> TestIndex:
        """The test index of that name; `make` makes it where it is not there."""
        return self._current(self._tests, key, make)

    def nodes(self, key: Hashable, rank_of: Callable[[NodeState], Any], nodes: Sequence[NodeState]) -> NodeIndex:
        """The node index of that name."""
        return self._current(self._nodes, key, lambda: NodeIndex(rank_of, nodes))

    def _current(self, known: OrderedDict[Hashable, _Index], key: Hashable, make: Callable[[], _Index]) -> _Index:
        index = known.pop(key, None)  # so that what fails on the way is not kept
        if index is None or index.position < self._first:
            index = make()
            index.position = self._first + len(self._notes)
        self._follow(index)
        known[key] = index
        if len(known) > _MOST_INDEXES:
            known.popitem(last=False)
        return index
