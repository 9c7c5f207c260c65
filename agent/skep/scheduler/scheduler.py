"""request → filters → strategies → placement. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from skep.cluster import ClusterState, NodeSet, NodeState
from skep.cluster.state import reservation_key
from skep.errors import ConflictError, ExpressionError, RequestError
from skep.scheduler.engine_body import placed_container
from skep.scheduler.placement import Placement, PlacementError
from skep.scheduler.query import PlacementQuery, Scores, Verdict
from skep.scheduler.request import PlacementRequest

__all__ = ["Reservation", "Rule", "Scheduler"]

_WeightedScores = tuple[str, Scores, float]


@dataclass(frozen=True, slots=True)
class Rule:
    """A plugin's filter or strategy: `call` is its `filter_nodes` or `score_nodes`, which may raise.

    `weight`: how much a strategy's scores count beside those of others.
    """

    plugin: str
    call: Callable[[PlacementQuery], Verdict | Scores | None]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Reservation:
    """A decision whose container counts as placed until `release` is called."""

    placement: Placement
    node: NodeState
    release: Callable[[], None]


class Scheduler:
    """Decides where containers go. `filters` and `strategies` are asked in their order."""

    def __init__(self, state: ClusterState, filters: Sequence[Rule] = (), strategies: Sequence[Rule] = ()) -> None:
        self.state = state
        self.filters = filters
        self.strategies = strategies
        self._keys = itertools.count(1)

    def place(self, request: PlacementRequest, *, extra: Sequence[Rule] = ()) -> Placement:
        """Decide, and change nothing. `extra` are filters for this request alone, asked before all others.

        Wishes are taken as conditions first; when nothing fits, they are passed over, all at once. Raises PlacementError when no
        node fits even so, ConflictError when the name is taken, RequestError (500) naming the plugin when a filter fails.
        """
        self._check_name(request.container.name)
        placement = self._attempt(request, extra, relaxed=False)
        if placement.node is None and request.wishes:
            placement = self._attempt(request, extra, relaxed=True)
        if placement.node is None:
            raise PlacementError(placement.summary(), placement.explain())
        return placement

    def hold(self, request: PlacementRequest, *, extra: Sequence[Rule] = ()) -> Reservation:
        """Decide, and count the container as placed until the reservation is released. Raises as `place` does."""
        placement = self.place(request, extra=extra)
        node = placement.node
        assert node is not None
        key, name = reservation_key(request.container), node.name
        if not key or key in node.containers:
            key = f"placement:{next(self._keys)}"
        self.state.reserve(placed_container(request.container, node), name, key)
        return Reservation(placement, node, lambda: self.state.release(name, key))

    @contextmanager
    def reserve(self, request: PlacementRequest) -> Iterator[Placement]:
        """Decide, and count the container as placed for as long as the block lasts. Raises as `place` does."""
        reservation = self.hold(request)
        try:
            yield reservation.placement
        finally:
            reservation.release()

    def _check_name(self, name: str) -> None:
        taken = self.state.named(name) if name else ()
        if taken:
            holder = taken[0]
            raise ConflictError(
                f"Conflict: The name {name} is already assigned. You have to delete (or rename) that container to be able to assign "
                f"{name} to a container again. It is on node {holder.node} ({holder.short_id or 'being created'})."
            )

    def _attempt(self, request: PlacementRequest, extra: Sequence[Rule], *, relaxed: bool) -> Placement:
        considered = nodes = self.state.all_nodes()
        verdicts: list[tuple[str, Verdict]] = []
        for rule in itertools.chain(extra, self.filters):
            verdict = _filtered(rule, PlacementQuery(request, self.state, nodes, relaxed))
            if verdict is not None:
                verdicts.append((rule.plugin, verdict))
                nodes = nodes & verdict.kept
        scores: list[_WeightedScores] = []
        if nodes:
            query = PlacementQuery(request, self.state, nodes, relaxed)
            scores = [(r.plugin, found, r.weight) for r in self.strategies if (found := _scored(r, query)) is not None]
        return Placement(request, _best(nodes, scores), considered, tuple(verdicts), tuple(scores), relaxed)


def _filtered(rule: Rule, query: PlacementQuery) -> Verdict | None:
    try:
        verdict = rule.call(query)
    except (RequestError, ExpressionError):
        raise
    except Exception as error:
        raise RequestError(
            f"plugin {rule.plugin}: its filter failed, so the request is refused: {type(error).__name__}: {error}",
            status=500,
        ) from error
    if verdict is None or isinstance(verdict, Verdict):
        return verdict
    raise RequestError(
        f"plugin {rule.plugin}: its filter answered {type(verdict).__name__} instead of Verdict, so the request is refused",
        status=500,
    )


def _scored(rule: Rule, query: PlacementQuery) -> Scores | None:
    try:
        scores = rule.call(query)
    except Exception:  # logged and counted where the plugin is called; without its opinion placement goes on
        return None
    return scores if isinstance(scores, Scores) else None


def _best(nodes: NodeSet, scores: Sequence[_WeightedScores]) -> NodeState | None:
    """The node with the highest sum of weighted scores; of equals the first in natural order."""
    if not nodes or not scores:
        return nodes.first() if nodes else None
    if len(scores) == 1 and scores[0][2] > 0:
        return next((found.first() for _, group in scores[0][1].groups if (found := group & nodes)), None)
    sums = {node.ordinal: 0.0 for node in nodes}
    for _, answer, weight in scores:
        known = {node.ordinal: weight * score for score, group in answer.groups for node in group & nodes}
        sums = {ordinal: total + known[ordinal] for ordinal, total in sums.items() if ordinal in known}
    best = max(sums, key=lambda ordinal: (sums[ordinal], -ordinal), default=None)
    return None if best is None else next(node for node in nodes if node.ordinal == best)
