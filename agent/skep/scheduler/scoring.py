"""Several strategies as one: their answers on a common scale, weighted and summed, by groups of nodes wherever that is less than by nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from skep.cluster import NodeSet, NodeState
from skep.cluster.standing import Ranks
from skep.scheduler.query import Scores

__all__ = ["Mark", "Ranking", "WeightedScores"]

WeightedScores = tuple[str, Scores, float]
"""A strategy's name, its answer, and the weight of its plugin's table."""

_BEST = 100.0
_DIGITS = 9  # sums that are equal on paper are equal here
_MOST = 1e100  # what a score is cut off at; NaN is the least


@dataclass(frozen=True, slots=True)
class Mark:
    """One strategy's opinion of one node: `score` as it answered, `points` that on the scale of 0 to 100, `weight` what they count."""

    strategy: str
    score: float
    points: float
    weight: float


class Ranking:
    """The candidates `nodes` in the order of all strategies together; those that a strategy refuses are out, whatever others say.

    One strategy alone decides by its own scores. Several are brought to a scale: among the nodes that nobody refuses, a strategy's best
    get 100 points and its worst 0, others in proportion (all 100 where all are equal); a node's total is the sum of points times weight.
    A strategy of weight 0 refuses nodes and ranks none, a negative weight turns an order round. Of equal totals the first node in the
    natural order of names is taken.

    With n nodes, an answer of G groups costs O(G) operations on sets, and combining it with T different totals O(T·G) of them, or O(n)
    operations on nodes where that is less.
    """

    def __init__(self, nodes: NodeSet, answers: Sequence[WeightedScores]) -> None:
        self._nodes = nodes
        self._answers = answers
        self._ranking = [(scores, weight) for _, scores, weight in answers if weight]

    @property
    def best(self) -> NodeState | None:
        """The node to take; None where none is left."""
        if len(self._ranking) == 1 and self._ranking[0][1] > 0:
            nodes = self._nodes if len(self._answers) == 1 else self.taken
            groups = self._ranking[0][0].groups
            if isinstance(groups, Ranks):
                return groups.best(nodes)
            return next((found.first() for _, group in groups if (found := group & nodes)), None)
        return self.groups[0][1].first() if self.groups else None

    @cached_property
    def taken(self) -> NodeSet:
        """The nodes that no strategy refuses."""
        taken = self._nodes
        for _, known in self.known:
            taken = taken & known
        return taken

    @cached_property
    def groups(self) -> Sequence[tuple[float, NodeSet]]:
        """The nodes that no strategy refuses, by total, the best first."""
        if not self.taken:
            return ()
        if len(self._ranking) == 1:
            scores, weight = self._ranking[0]
            parts = [(weight * score, nodes) for score, nodes in _Scale(scores, self.taken).parts]
            return parts if weight > 0 else parts[::-1]
        totals = [(0.0, self.taken)]
        for scores, weight in self._ranking:
            totals = _Scale(scores, self.taken).added(totals, weight)
        return sorted(totals, key=lambda pair: -pair[0])

    def total(self, node: NodeState) -> float | None:
        """What the strategies give it together; None where one refuses it, or where there is none.

        Of one strategy alone: its own score times weight.
        """
        return self._totals.get(node.ordinal) if self._answers else None

    def marks(self, node: NodeState) -> list[Mark]:
        """What each strategy gives a node; none for one that is refused."""
        return [
            Mark(name, scale.scores[node.ordinal], scale.points(scale.scores[node.ordinal]), weight)
            for name, scale, weight in self._scales
            if node.ordinal in scale.scores
        ]

    def refusal(self, node: NodeState) -> tuple[str, Scores] | None:
        """The first strategy that refuses it, and its answer."""
        return next(
            (
                (name, scores)
                for (name, scores, _), (_, known) in zip(self._answers, self.known, strict=True)
                if node not in known
            ),
            None,
        )

    @cached_property
    def known(self) -> list[tuple[str, NodeSet]]:
        """Of each strategy, the nodes that it takes."""
        return [(name, _union(scores, self._nodes)) for name, scores, _ in self._answers]

    @cached_property
    def _totals(self) -> dict[int, float]:
        return {node.ordinal: total for total, nodes in self.groups for node in nodes}

    @cached_property
    def _scales(self) -> list[tuple[str, _Scale, float]]:
        return [(name, _Scale(scores, self.taken), weight) for name, scores, weight in self._answers]


def _union(scores: Scores, nodes: NodeSet) -> NodeSet:
    left = nodes
    for _, group in scores.groups:
        left = left - group
        if not left:
            break
    return nodes - left


class _Scale:
    """One strategy's answer about the nodes that are taken. `parts` are its groups without others; no node is in two."""

    def __init__(self, scores: Scores, taken: NodeSet) -> None:
        self.parts: list[tuple[float, NodeSet]] = []
        left = self._taken = taken
        for score, group in scores.groups:
            if found := group & left:
                self.parts.append((min(_MOST, max(-_MOST, score)), found))
                left = left - found
                if not left:
                    break
        self._lowest = min((score for score, _ in self.parts), default=0.0)
        self._span = max((score for score, _ in self.parts), default=0.0) - self._lowest

    @cached_property
    def scores(self) -> dict[int, float]:
        """The score of each node, by its ordinal."""
        return {node.ordinal: score for score, nodes in self.parts for node in nodes}

    def points(self, score: float) -> float:
        """A score on the scale of 0 to 100."""
        return (score - self._lowest) / self._span * _BEST if self._span else _BEST

    def added(self, totals: Sequence[tuple[float, NodeSet]], weight: float) -> list[tuple[float, NodeSet]]:
        """The totals with what this strategy gives; groups of equal totals are one."""
        if len(totals) * len(self.parts) > len(self._taken):
            return self._added_by_node(totals, weight)
        sums: dict[float, NodeSet] = {}
        for score, part in self.parts:
            more = weight * self.points(score)
            for total, nodes in totals:
                if found := nodes & part:
                    key = round(total + more, _DIGITS)
                    sums[key] = sums[key] | found if key in sums else found
        return list(sums.items())

    def _added_by_node(self, totals: Sequence[tuple[float, NodeSet]], weight: float) -> list[tuple[float, NodeSet]]:
        more = {node.ordinal: weight * self.points(score) for score, nodes in self.parts for node in nodes}
        sums: dict[float, list[NodeState]] = defaultdict(list)
        for total, nodes in totals:
            for node in nodes:
                sums[round(total + more[node.ordinal], _DIGITS)].append(node)
        return [(total, self._taken.only(nodes)) for total, nodes in sums.items()]
