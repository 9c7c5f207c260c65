"""Sets of nodes, as cheap as integers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skep.cluster.state import NodeState

__all__ = ["NodeSet", "mask_of"]

_FEW = 8
_WORD = 512
_ONES = (1 << _WORD) - 1


def mask_of(nodes: Collection[NodeState]) -> int:
    """The bits of these nodes."""
    if len(nodes) <= _FEW:
        mask = 0
        for node in nodes:
            mask |= 1 << node.ordinal
        return mask
    ordinals = [node.ordinal for node in nodes]
    bits = bytearray((max(ordinals) >> 3) + 1)  # bit by bit in place: a long integer would be copied for each
    for ordinal in ordinals:
        bits[ordinal >> 3] |= 1 << (ordinal & 7)
    return int.from_bytes(bits, "little")


class NodeSet:
    """A set of a cluster's nodes: one bit per node, so that thousands of nodes are filtered in a few operations.

    It is valid until a node joins or leaves; use it within one decision, and do not keep it. Iteration is in the natural order of the
    nodes' names (node2 before node10).
    """

    __slots__ = ("_order", "mask")

    def __init__(self, mask: int, order: list[NodeState]) -> None:
        self.mask = mask
        self._order = order

    def __and__(self, other: NodeSet) -> NodeSet:
        return NodeSet(self.mask & other.mask, self._order)

    def __or__(self, other: NodeSet) -> NodeSet:
        return NodeSet(self.mask | other.mask, self._order)

    def __sub__(self, other: NodeSet) -> NodeSet:
        return NodeSet(self.mask & ~other.mask, self._order)

    def __bool__(self) -> bool:
        return self.mask != 0

    def __len__(self) -> int:
        return self.mask.bit_count()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NodeSet) and self.mask == other.mask

    def __hash__(self) -> int:
        return hash(self.mask)

    def __contains__(self, node: NodeState) -> bool:
        return node.ordinal >= 0 and bool(self.mask >> node.ordinal & 1)

    def __iter__(self) -> Iterator[NodeState]:
        order = self._order
        length = self.mask.bit_length()
        for start in range(0, length, _WORD):  # a word at a time: taking bits off a long integer copies it for each
            word = self.mask >> start & _ONES
            while word:
                lowest = word & -word
                yield order[start + lowest.bit_length() - 1]
                word ^= lowest

    def __repr__(self) -> str:
        return f"<NodeSet {[node.name for node in self]}>"

    def first(self) -> NodeState:
        """The first node in natural order. Raises LookupError when the set is empty."""
        if not self.mask:
            raise LookupError("no node in the set")
        return self._order[(self.mask & -self.mask).bit_length() - 1]

    def where(self, test: Callable[[NodeState], bool]) -> NodeSet:
        """Those for which `test` is true. It looks at each node; an index of the cluster's state is quicker."""
        return NodeSet(mask_of([node for node in self if test(node)]), self._order)

    def only(self, nodes: Collection[NodeState]) -> NodeSet:
        """Those of `nodes` that are in it."""
        return NodeSet(mask_of(nodes) & self.mask, self._order)
