"""request → filters → strategies → placement. Pure: no I/O, no clock, no chance."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from skep.cluster import ClusterState, NodeSet, NodeState
from skep.cluster.standing import Ranks
from skep.cluster.state import reservation_key
from skep.errors import ConflictError, ExpressionError, RequestError
from skep.scheduler.engine_body import placed_container
from skep.scheduler.placement import Placement, PlacementError
from skep.scheduler.query import PlacementQuery, Scores, Verdict, Wish
from skep.scheduler.relaxing import relax_one_by_one, wishes_by_weight
from skep.scheduler.request import PlacementRequest
from skep.scheduler.scoring import Ranking, WeightedScores

__all__ = ["Reservation", "Rule", "Scheduler"]


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
    """Decides where containers go. `filters` and `strategies` are asked in their order.

    relax: how wishes are given up when nothing fits, `all` at once, or `one` by one as far as it takes; see `skep.scheduler.relaxing`.
    weights: of the kinds of wishes; 1.0 for one that is not there.
    """

    def __init__(
        self,
        state: ClusterState,
        filters: Sequence[Rule] = (),
        strategies: Sequence[Rule] = (),
        *,
        relax: Literal["all", "one"] = "all",
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self.state = state
        self.filters = filters
        self.strategies = strategies
        self.relax = relax
        self.weights = weights or {}
        self._keys = itertools.count(1)

    def place(self, request: PlacementRequest, *, extra: Sequence[Rule] = (), wide: bool = False) -> Placement:
        """Decide, and change nothing. `extra` are filters for this request alone, asked before all others.

        Wishes are taken as conditions first; when nothing fits, they are passed over, as `relax` says. With `wide` each filter is asked
        about all nodes too, so that the explanation has everything that is against a node. Raises PlacementError when no
        node fits, ConflictError when the name is taken, RequestError (500) naming the plugin when a filter fails.
        """
        self._check_name(request.container.name)
        placement = self._attempt(request, extra, wide=wide)
        if placement.node is None and request.wishes:
            placement = self._relaxed(request, extra, wide=wide)
        if placement.node is None:
            raise PlacementError(placement.summary(), placement)
        return placement

    def hold(self, request: PlacementRequest, *, extra: Sequence[Rule] = ()) -> Reservation:
        """Decide, and count the container as placed until the reservation is released. Raises as `place` does."""
        return self.take(self.place(request, extra=extra))

    def take(self, placement: Placement) -> Reservation:
        """Count the container of a decision just made as placed until the reservation is released."""
        request, node = placement.request, placement.node
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

    def _relaxed(self, request: PlacementRequest, extra: Sequence[Rule], *, wide: bool) -> Placement:
        base = self._attempt(request, extra, relaxed=True, wide=wide)
        if base.node is None or self.relax == "all":
            return base

        def attempt(given_up: Set[Wish]) -> Placement:
            return self._attempt(request, extra, given_up=given_up, wide=wide)

        return relax_one_by_one(wishes_by_weight(request, self.weights), attempt, base)

    def _attempt(
        self,
        request: PlacementRequest,
        extra: Sequence[Rule],
        *,
        relaxed: bool = False,
        given_up: Set[Wish] = frozenset(),
        wide: bool = False,
    ) -> Placement:
        considered = nodes = self.state.all_nodes()
        verdicts: list[tuple[str, Verdict]] = []
        widely: list[Verdict | None] = []
        whole = query = PlacementQuery(request, self.state, nodes, relaxed, given_up)
        for rule in (*extra, *self.filters):
            verdict = _filtered(rule, query)
            if verdict is None:
                continue
            verdicts.append((rule.plugin, verdict))
            if wide:
                widely.append(_filtered(rule, whole))
            left = nodes & verdict.kept
            if left != nodes:
                nodes = left
                query = PlacementQuery(request, self.state, nodes, relaxed, given_up)
        scores: list[WeightedScores] = []
        if nodes:
            scores = [(r.plugin, found, r.weight) for r in self.strategies if (found := _scored(r, query)) is not None]
        best = Ranking(nodes, scores).best
        passed_over, dropped = relaxed or bool(given_up), given_up or None
        return Placement(request, best, considered, tuple(verdicts), tuple(scores), passed_over, dropped, tuple(widely))


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
    if verdict is None or (isinstance(verdict, Verdict) and isinstance(verdict.kept, NodeSet)):
        return verdict
    wrong = f"Verdict of {type(verdict.kept).__name__}" if isinstance(verdict, Verdict) else type(verdict).__name__
    raise RequestError(
        f"plugin {rule.plugin}: its filter answered {wrong} instead of Verdict of NodeSet, so the request is refused",
        status=500,
    )


def _scored(rule: Rule, query: PlacementQuery) -> Scores | None:
    try:
        scores = rule.call(query)
    except Exception:  # logged and counted where the plugin is called; without its opinion placement goes on
        return None
    return scores if isinstance(scores, Scores) and _are_groups(scores.groups) else None


def _are_groups(groups: object) -> bool:
    """Whether a strategy's groups are such. Those of the state's own indexes are, and many."""
    return isinstance(groups, Ranks) or (
        isinstance(groups, Sequence)
        and all(
            isinstance(pair, tuple)
            and len(pair) == 2
            and isinstance(pair[0], int | float)
            and isinstance(pair[1], NodeSet)
            for pair in groups
        )
    )
