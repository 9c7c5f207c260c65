"""Several strategies as one: against a naive reading, node by node."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep import ClusterState, Node, Scores
from skep.scheduler.scoring import Mark, Ranking

Points = dict[int, float]
"""A strategy's scores of nodes, by their number; a node that is not there is refused."""


def made(number: int) -> ClusterState:
    state = ClusterState()
    for n in range(1, number + 1):
        state.put_node(Node(f"n{n}", f"tcp://n{n}:1"))
    return state


def answer(state: ClusterState, points: Points) -> Scores:
    groups = defaultdict(list)
    for number, score in points.items():
        groups[score].append(state.nodes[number])
    return Scores([(score, state.node_set(groups[score])) for score in sorted(groups, reverse=True)])


def ranked(state: ClusterState, *given: tuple[Points, float], among: set[int] | None = None) -> Ranking:
    nodes = state.all_nodes() if among is None else state.node_set(state.nodes[n] for n in among)
    return Ranking(nodes, [(f"s{n}", answer(state, points), weight) for n, (points, weight) in enumerate(given)])


def naive(candidates: set[int], given: list[tuple[Points, float]]) -> dict[int, float]:
    """Each node's total."""
    taken = {node for node in candidates if all(node in points for points, _ in given)}
    totals = dict.fromkeys(sorted(taken), 0.0)
    for points, weight in given:
        if not taken or not weight:
            continue
        low, high = min(points[n] for n in taken), max(points[n] for n in taken)
        for node in taken:
            on_scale = 100.0 if low == high else (points[node] - low) / (high - low) * 100
            totals[node] = round(totals[node] + weight * on_scale, 9)
    return totals


NODES = 9
points = st.dictionaries(st.integers(0, NODES - 1), st.integers(-5, 5) | st.floats(-1e4, 1e4))
weights = st.sampled_from((-1.0, 0.0, 0.25, 1.0, 3.0))


@given(st.lists(st.tuples(points, weights), min_size=2, max_size=4), st.sets(st.integers(0, NODES - 1)))
def test_it_decides_as_a_naive_sum_node_by_node(given: list[tuple[Points, float]], among: set[int]) -> None:
    state = made(NODES)
    ranking = ranked(state, *given, among=among)
    totals = naive(among, given)
    assert {state.nodes[n] for n in totals} == set(ranking.taken)
    if sum(bool(weight) for _, weight in given) == 1:  # one alone: not on a scale; see below
        return
    assert {node.ordinal: total for total, nodes in ranking.groups for node in nodes} == totals
    assert [total for total, _ in ranking.groups] == sorted(set(totals.values()), reverse=True)
    best = max(totals, key=lambda n: (totals[n], -n), default=None)
    assert ranking.best is (None if best is None else state.nodes[best])


@given(points, st.sampled_from((1e-9, 0.5, 1.0, 7.0)), st.sets(st.integers(0, NODES - 1)), st.booleans())
def test_one_strategy_alone_decides_by_its_own_scores_whatever_its_weight(
    given: Points, weight: float, among: set[int], beside: bool
) -> None:
    state = made(NODES)
    others = [({n: -float(n) for n in range(NODES)}, 0.0)] if beside else []
    ranking = ranked(state, (given, weight), *others, among=among)
    fitting = sorted(among & set(given))
    best = max(fitting, key=lambda n: (given[n], -n), default=None)
    assert ranking.best is (None if best is None else state.nodes[best])
    for n in fitting:
        assert ranking.total(state.nodes[n]) == weight * given[n]


@pytest.mark.parametrize(
    ("given", "node"),
    [
        ([({0: 1, 1: 2, 2: 2}, 1)], 1),
        ([({0: 0, 1: 1}, 1), ({0: 1000, 1: 0}, 1)], 0),  # a scale of a thousand weighs no more than one of one
        ([({0: 0, 1: 1}, 1.5), ({0: 1000, 1: 0}, 1)], 1),
        ([({0: 1, 1: 2}, -1)], 0),
        ([({0: 1, 1: 2, 2: 2}, 0)], 0),  # it ranks none
        ([({1: 1, 2: 2}, 0)], 1),  # but it refuses
        ([({1: 1, 2: 2}, -1), ({0: 1, 2: 1}, 1)], 2),
        ([({0: 1, 1: 1, 2: 1}, 1), ({0: 5, 1: 6, 2: 6}, 0.001)], 1),  # equal to one, decided by the other
        ([({0: 9}, 1), ({1: 9}, 1)], None),
    ],
)
def test_weights(given: list[tuple[Points, float]], node: int | None) -> None:
    state = made(3)
    best = ranked(state, *given).best
    assert best is (None if node is None else state.nodes[node])


def test_the_scale_is_of_the_nodes_that_nobody_refuses() -> None:
    state = made(4)
    ranking = ranked(state, ({0: -1e6, 1: 1, 2: 2, 3: 3}, 1), ({1: 5, 2: 4, 3: 0}, 1))
    assert [ranking.total(node) for node in state.nodes] == [None, 100.0, 130.0, 100.0]
    assert ranking.best is state.nodes[2]
    assert ranking.marks(state.nodes[0]) == []
    assert ranking.marks(state.nodes[2]) == [Mark("s0", 2, 50.0, 1), Mark("s1", 4, 80.0, 1)]


def test_the_first_strategy_that_refuses_a_node_is_told() -> None:
    state = made(3)
    ranking = ranked(state, ({0: 1, 2: 1}, 1), ({2: 1}, 0), among={0, 1, 2})
    told = [ranking.refusal(node) for node in state.nodes]
    assert [each and each[0] for each in told] == ["s1", "s0", None]


@pytest.mark.parametrize("bad", [math.nan, -math.inf, -1e308])
def test_senseless_scores_do_not_keep_others_from_deciding(bad: float) -> None:
    state = made(3)
    groups = [(2.0, state.node_set([state.nodes[2]])), (bad, state.node_set([state.nodes[1]]))]
    ranking = Ranking(
        state.node_set(state.nodes[1:]), [("odd", Scores(groups), 1.0), ("even", answer(state, {1: 1, 2: 1}), 1.0)]
    )
    assert ranking.best is state.nodes[2]
    assert ranking.total(state.nodes[1]) == 100.0


def test_a_node_in_two_groups_counts_in_the_better_one() -> None:
    state = made(2)
    groups = [(2.0, state.node_set(state.nodes[1:])), (1.0, state.all_nodes())]
    for more in ([], [("even", answer(state, {0: 1, 1: 1}), 1.0)]):
        ranking = Ranking(state.all_nodes(), [("twice", Scores(groups), 1.0), *more])
        assert ranking.best is state.nodes[1]
        assert ranking.total(state.nodes[1]) == (200.0 if more else 2.0)


def test_without_strategies_the_first_node_is_taken_and_no_total_told() -> None:
    state = made(2)
    ranking = Ranking(state.all_nodes(), [])
    assert ranking.best is state.nodes[0]
    assert ranking.total(state.nodes[0]) is None
    assert Ranking(state.node_set([]), []).best is None


def test_many_nodes_and_groups_are_ranked_alike_by_sets_and_by_nodes() -> None:
    """Two answers of as many groups as nodes are combined by nodes, of few groups by sets."""
    state = made(300)
    fine = {n: float(n * 7919 % 300) for n in range(300)}
    coarse = {n: float(n % 4) for n in range(300)}
    for pair in ([(fine, 1.0), (fine, 2.0)], [(coarse, 1.0), (coarse, -0.5)], [(coarse, 1.0), (fine, 0.125)]):
        ranking = ranked(state, *pair)
        totals = naive(set(range(300)), pair)
        assert {node.ordinal: total for total, nodes in ranking.groups for node in nodes} == totals
