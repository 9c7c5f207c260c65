"""request → filters → strategies → placement. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from skep.cluster import ClusterState, NodeSet, NodeState
from skep.errors import ConflictError
from skep.scheduler.placement import Placement, PlacementError
from skep.scheduler.query import PlacementQuery, Scores, Verdict
from skep.scheduler.request import PlacementRequest

__all__ = ["Rule", "Scheduler"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A plugin's filter or strategy: `call` is its `filter_nodes` or `score_nodes`, which may raise."""

    plugin: str
    call: Callable[[PlacementQuery], Verdict | Scores | None]


class Scheduler:
    """Decides where containers go. `filters` and `strategies` are asked in their order."""

    def __init__(self, state: ClusterState, filters: Sequence[Rule] = (), strategies: Sequence[Rule] = ()) -> None:
        self.state = state
        self.filters = filters
        self.strategies = strategies
        self._keys = itertools.count(1)

    def place(self, request: PlacementRequest) -> Placement:
        """Decide, and change nothing. Raises PlacementError when no node fits, ConflictError when the name is taken."""
        name = request.container.name
        if name and (taken := self.state.named(name)):
            raise ConflictError(
                f"Conflict: The name {name} is already assigned, to {taken[0].node}/{name}. You have to delete (or rename) that "
                "container to be able to assign it to another one."
            )
        placement = self._attempt(request, relaxed=False)
        if placement.node is None:
            placement = self._attempt(request, relaxed=True)
        if placement.node is None:
            raise PlacementError("Unable to find a node that satisfies the request:", placement.explain())
        return placement

    @contextmanager
    def reserve(self, request: PlacementRequest) -> Iterator[Placement]:
        """Decide, and count the container as placed for as long as the block lasts. Raises as `place` does."""
        placement = self.place(request)
        assert placement.node is not None
        node, key = placement.node.name, f"placement:{next(self._keys)}"
        self.state.reserve(request.container, node, key)
        try:
            yield placement
        finally:
            self.state.release(node, key)

    def _attempt(self, request: PlacementRequest, *, relaxed: bool) -> Placement:
        considered = nodes = self.state.all_nodes()
        verdicts: list[tuple[str, Verdict]] = []
        for rule in self.filters:
            verdict = rule.call(PlacementQuery(request, self.state, nodes, relaxed))
            if isinstance(verdict, Verdict):
                verdicts.append((rule.plugin, verdict))
                nodes = nodes & verdict.kept
        scores = [
            (rule.plugin, answer)
            for rule in self.strategies
            if isinstance(answer := rule.call(PlacementQuery(request, self.state, nodes, relaxed)), Scores)
        ]
        return Placement(
            request, _best(nodes, [s for _, s in scores]), considered, tuple(verdicts), tuple(scores), relaxed
        )


def _best(nodes: NodeSet, scores: Sequence[Scores]) -> NodeState | None:
    """The node with the highest sum of scores; of equals the first in natural order."""
    if not nodes or not scores:
        return nodes.first() if nodes else None
    if len(scores) == 1:
        return next((found.first() for _, group in scores[0].groups if (found := group & nodes)), None)
    sums = {node.ordinal: 0.0 for node in nodes}
    for each in scores:
        known = {node.ordinal: score for score, group in each.groups for node in group & nodes}
        sums = {ordinal: total + known[ordinal] for ordinal, total in sums.items() if ordinal in known}
    best = max(sums, key=lambda ordinal: (sums[ordinal], -ordinal), default=None)
    return None if best is None else next(node for node in nodes if node.ordinal == best)
