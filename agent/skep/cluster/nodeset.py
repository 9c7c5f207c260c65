"""Sets of nodes, as cheap as integers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skep.cluster.state import NodeState

__all__ = ["NodeSet"]


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
        return bool(self.mask >> node.ordinal & 1)

    def __iter__(self) -> Iterator[NodeState]:
        mask, order = self.mask, self._order
        while mask:
            lowest = mask & -mask
            yield order[lowest.bit_length() - 1]
            mask ^= lowest

    def __repr__(self) -> str:
        return f"<NodeSet {[node.name for node in self]}>"

    def first(self) -> NodeState:
        """The first node in natural order. Raises LookupError when the set is empty."""
        if not self.mask:
            raise LookupError("no node in the set")
        return self._order[(self.mask & -self.mask).bit_length() - 1]

    def where(self, test: Callable[[NodeState], bool]) -> NodeSet:
        """Those for which `test` is true. It looks at each node; an index of the cluster's state is quicker."""
        mask = 0
        for node in self:
            if test(node):
                mask |= 1 << node.ordinal
        return NodeSet(mask, self._order)
