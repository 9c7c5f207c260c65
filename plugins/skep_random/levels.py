"""Throws of the dice for many nodes at once: a byte for each node, and more where a byte does not tell nodes apart."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import groupby
from typing import overload

from skep import ClusterState, NodeSet, NodeState

__all__ = ["Dice", "Levels"]

_TABLES = 4
_SIZE = 256
_BITS = 64
_ALL = (1 << _BITS) - 1
_ODD = 0x9E3779B97F4A7C15  # spreads a number's bits over those above them: 2**64 over the golden ratio
_STEPS = 32  # levels in which throws are told apart, for each factor of e in the number of nodes
_COARSE = 32  # bytes from here on are one level each, or less

Group = tuple[float, NodeSet]


class Dice:
    """The nodes' names, hashed; made anew when nodes come or go."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] | None = None
        self._hashes: list[bytes] = []
        self._rows: list[bytes] = []

    def throw(self, state: ClusterState, identity: str) -> tuple[bytes, Callable[[NodeState], int]]:
        """A byte for each node in its order, and for one node 64 more bits; out of its name and what tells this throw from others.

        By tables, so that it is a few operations on all names: of each name four bytes are looked up in tables of the throw's own, and
        what is found there is combined.
        """
        names = state.journal.names
        if names is not self._names:
            self._names, self._hashes = names, [_hashed(name, _BITS // 8) for name in names]
            self._rows = [bytes(each[at] for each in self._hashes) for at in range(_TABLES)]
        tables = hashlib.shake_128(identity.encode(errors="replace")).digest(_TABLES * _SIZE + _BITS // 8)
        combined = 0
        for number, row in enumerate(self._rows):
            combined ^= int.from_bytes(row.translate(tables[number * _SIZE : (number + 1) * _SIZE]))
        hashes, key = self._hashes, int.from_bytes(tables[_TABLES * _SIZE :])

        def more(node: NodeState) -> int:
            mixed = (int.from_bytes(hashes[node.ordinal]) ^ key) * _ODD & _ALL
            return (mixed ^ mixed >> 32) * _ODD & _ALL

        return combined.to_bytes(len(names)), more


class Levels(Sequence[Group]):
    """The nodes by their throws: the less it is, the higher its level, and the better. Made as they are read: often the first is enough."""

    def __init__(self, state: ClusterState, nodes: NodeSet, dice: Dice, identity: str) -> None:
        self._state, self._nodes = state, nodes
        self._row, self._more = dice.throw(state, identity)

    @cached_property
    def _all(self) -> list[Group]:
        return list(self._groups())

    def __iter__(self) -> Iterator[Group]:
        return iter(self._all) if "_all" in self.__dict__ else self._groups()

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, at: int) -> Group: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Group]: ...
    def __getitem__(self, at: int | slice) -> Group | Sequence[Group]:
        return self._all[at]

    def _groups(self) -> Iterator[Group]:
        """The highest level node by node, then level by level."""
        throws = groupby(self._throws(), key=lambda pair: pair[0])
        for level, found in throws:
            best = sorted((self._more(node), node.ordinal, node) for _, node in found)
            for number, (_, _, node) in enumerate(best, 1):
                yield level + 1 - number / len(best), self._state.node_set((node,))
            break
        for level, found in throws:
            yield float(level), self._state.node_set([node for _, node in found])

    def _throws(self) -> Iterator[tuple[int, NodeState]]:
        """Each node with its level, the highest first. Levels are distributed exponentially."""
        for byte in range(_SIZE):
            nodes = self._with_byte(byte)
            if byte >= _COARSE:
                level = _level(byte + 0.5)
                yield from ((level, node) for node in nodes)
            elif nodes:
                fine = [(_level(byte + (self._more(node) + 1) / (_ALL + 2)), node) for node in nodes]
                yield from sorted(fine, key=lambda pair: -pair[0])

    def _with_byte(self, byte: int) -> list[NodeState]:
        found, order, at = [], self._state.nodes, self._row.find(byte)
        while at >= 0:
            if order[at] in self._nodes:
                found.append(order[at])
            at = self._row.find(byte, at + 1)
        return found


def _level(value: float) -> int:
    return int(_STEPS * -math.log(value / _SIZE))


def _hashed(text: str, size: int) -> bytes:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=size).digest()
