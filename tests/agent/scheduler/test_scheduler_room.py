"""What is reserved, weighed as classic Swarm does: its arithmetic, written down once more in its own steps."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep import ClusterState, Container, Node, NodeState, Room, with_overcommit
from skep.scheduler.engine_body import placed_container


def node_of(cpus: int = 4, memory: int = 1000) -> NodeState:
    state = ClusterState()
    return state.put_node(Node("n1", "tcp://n1:1", cpus=cpus, memory=memory))


def filled(node: NodeState, *, memory: int = 0, cpus: int = 0) -> NodeState:
    node.memory_used, node.nano_cpus_used = memory, cpus * 10**9
    return node


def room(memory: int = 0, cpus: float = 0, overcommit: float = 0.0) -> Room:
    return Room(memory, round(cpus * 1e9), by_shares=False, overcommit=overcommit)


@pytest.mark.parametrize(
    ("used", "wanted", "weight"),
    [
        # (memory used, CPUs used), (memory, CPUs), of 1000 and 4
        ((0, 0), (0, 0), 200),
        ((900, 3), (0, 0), 200),  # what is not wanted counts as full
        ((5000, 40), (0, 0), 200),  # and a node that is more than full is still eligible
        ((0, 0), (1, 0), 100),  # 0.1 percent are cut off
        ((0, 0), (9, 0), 100),
        ((0, 0), (10, 0), 101),
        ((0, 0), (999, 0), 199),
        ((0, 0), (1000, 0), 200),
        ((0, 0), (1001, 0), None),  # more than there is at all
        ((509, 0), (500, 0), 200),  # 1009 of 1000: 100.9 percent, cut off
        ((510, 0), (500, 0), None),
        ((1000, 0), (9, 0), 200),
        ((0, 0), (0, 1), 125),
        ((0, 1), (0, 3), 200),
        ((0, 2), (0, 3), None),
        ((0, 0), (0, 5), None),
        ((0, 0), (500, 1), 75),
        ((499, 1), (500, 1), 149),
        ((0, 3), (500, 2), None),  # either is enough to refuse
        ((600, 0), (500, 1), None),
        ((0, 0), (0, 0.5), 112),  # 12.5 percent
    ],
)
def test_the_weight(used: tuple[int, int], wanted: tuple[int, float], weight: int | None) -> None:
    node = filled(node_of(), memory=used[0], cpus=used[1])
    assert room(*wanted).weight(node) == weight


@pytest.mark.parametrize(
    ("amount", "overcommit", "total"),
    [
        (1000, 0.05, 1050),
        (19, 0.05, 19),  # fewer than twenty gain nothing of five percent
        (20, 0.05, 21),
        (100, 0.29, 128),  # 0.29 is less than 0.29 in binary
        (100, 0.57, 156),
        (100, 0.58, 157),
        (100, 0.009, 100),  # less than one percent
        (3, -0.5, 2),  # toward zero: 1.5 are taken off as 1
        (3, -0.99, 1),
        (1000, -0.5, 500),
        (1000, 1.0, 2000),
        (0, 0.5, 0),
    ],
)
def test_the_total_with_overcommit(amount: int, overcommit: float, total: int) -> None:
    assert with_overcommit(amount, overcommit) == total
    assert room(total, overcommit=overcommit).weight(node_of(memory=amount)) == 200
    assert room(total + 1, overcommit=overcommit).weight(node_of(memory=amount)) is None


@given(
    st.integers(0, 2**45), st.integers(0, 2**45), st.integers(0, 2**45), st.sampled_from((0.0, 0.05, 0.29, -0.5, 2.0))
)
def test_memory_is_counted_exactly_however_much_it_is(total: int, used: int, wanted: int, overcommit: float) -> None:
    percent = int(overcommit * 100)
    total_with = total + math.trunc(Fraction(total * percent, 100))
    score = 100 if not wanted else math.trunc(Fraction((used + wanted) * 100, total_with)) if total_with else 101
    expected = None if wanted > total_with or score > 100 else 100 + score
    assert room(wanted, overcommit=overcommit).weight(filled(node_of(memory=total), memory=used)) == expected


@pytest.mark.parametrize("cpus", [1, 2, 3, 4, 7, 16, 63])
def test_shares_come_back_from_an_engine_as_the_cpus_that_they_were(cpus: int) -> None:
    node = node_of(cpus=cpus)
    for shares in range(cpus + 1):
        request = Container("", "", "", cpu_shares=shares)
        placed = placed_container(request, node)
        assert placed.cpu_shares == math.ceil(shares * 1024 / cpus)
        assert placed.cpus_on(node.node) == shares
        assert Room.wanted_by(request, 0.0).nano_cpus == shares * 10**9


def test_a_container_made_on_the_engine_itself_with_1024_shares_has_all_its_cpus() -> None:
    node = node_of(cpus=6)
    assert Container("a", "a", "n1", cpu_shares=1024).cpus_on(node.node) == 6


def test_all_containers_count_in_any_state_and_those_under_way_even_above_the_total() -> None:
    state = ClusterState()
    node = state.put_node(Node("n1", "tcp://n1:1", cpus=4, memory=1000))
    state.put_container(Container("a", "a", "n1", memory=100))
    state.reserve(Container("", "b", "", memory=5000, nano_cpus=10**9), "n1", "key")
    assert (node.memory_used, node.cpus_used) == (5100, 1)
    assert room(1).weight(node) is None
    state.release("n1", "key")
    assert room(900).weight(node) == 200


def test_a_negative_request_reserves_nothing() -> None:
    assert room(-5).weight(node_of(memory=0)) == 200
    assert room(-5).wanted() == []


@pytest.mark.parametrize("fullest", [False, True])
def test_the_scores_are_of_the_weight_then_of_the_number_of_containers(fullest: bool) -> None:
    state = ClusterState()
    for name, memory, containers, failures in (("a", 100, 1, 0), ("b", 100, 2, 0), ("c", 500, 1, 0), ("d", 300, 1, 1)):
        state.put_node(Node(name, f"tcp://{name}:1", cpus=4, memory=1000, failures=failures))
        for n in range(containers):
            state.put_container(replace(Container(f"{name}{n}", "", name), memory=memory if not n else 0))
    for wanted, order in ((100, "abc"), (0, "acb")):
        scores = room(wanted).scores(state, fullest=fullest)
        found = ["".join(node.name for node in nodes) for _, nodes in scores.groups]
        if wanted:
            assert found == [*(reversed(order) if fullest else order), "d"]
        else:
            assert found == (["b", "ac", "d"] if fullest else ["ac", "b", "d"])
