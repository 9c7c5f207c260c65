"""What filters and strategies are asked, and how they answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

from skep.cluster import ClusterState, NodeSet, NodeState
from skep.expressions import Expression
from skep.scheduler.request import PlacementRequest

__all__ = ["PlacementQuery", "Scores", "Verdict", "Wish"]

Wish = tuple[str, str]
"""A soft expression: its kind and its text."""


@dataclass(frozen=True, slots=True)
class PlacementQuery:
    """One question to one filter or strategy.

    `nodes` are the candidates that are left. `relaxed`: nothing fitted, so all wishes (soft expressions) are passed over now;
    `given_up` are those that alone are passed over, by kind and text, where wishes are given up one at a time.
    """

    request: PlacementRequest
    state: ClusterState
    nodes: NodeSet
    relaxed: bool = False
    given_up: Set[Wish] = frozenset()

    def expressions(self, kind: str) -> Sequence[Expression]:
        """The request's expressions of a kind that count in this pass."""
        found = self.request.expressions.get(kind, ())
        if self.relaxed:
            return [each for each in found if not each.soft]
        if self.given_up:
            return [each for each in found if not each.soft or (kind, each.text) not in self.given_up]
        return found

    def keep(self, test: Callable[[NodeState], bool], reason: Callable[[NodeState], str] | str) -> Verdict:
        """A verdict that keeps the nodes for which `test` is true; `reason` says why the others are refused."""
        text = reason
        return Verdict(self.nodes.where(test), (lambda _: text) if isinstance(text, str) else text)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A filter's answer: the nodes it keeps, and why it refuses another one.

    `reason` gets a refused node and names what was wanted and what was found (`constraint disk==ssd: its label disk is "hdd"`).
    `wanted` says what the filter was asked for, each condition in a few words (`constraint disk==ssd`). Both are called only when
    somebody reads them.
    """

    kept: NodeSet
    reason: Callable[[NodeState], str]
    wanted: Callable[[], Iterable[str]] = tuple


@dataclass(frozen=True, slots=True)
class Scores:
    """A strategy's answer: nodes with their scores, in groups, best first; a higher score is better.

    A node in no group is refused, as `refused` says; `wanted` says what it lacks (`512 MiB of memory`).
    """

    groups: Sequence[tuple[float, NodeSet]]
    refused: Callable[[NodeState], str] = lambda _: "the strategy does not take it"
    wanted: Callable[[], Iterable[str]] = tuple
