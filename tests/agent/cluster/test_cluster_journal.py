"""What the cluster was like at a moment that was marked, and how much of that is kept."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skep import ClusterState, Container, Image, Node


def shown(state: ClusterState, moment: int) -> Any:
    nodes = state.journal.nodes_at(moment)
    return nodes and [(each.node, list(each.containers.items()), tuple(each.images)) for each in nodes]


def now(state: ClusterState) -> Any:
    return [(each.node, list(each.containers.items()), tuple(each.images)) for each in state.nodes]


def change(state: ClusterState, what: int, name: str, number: int) -> None:
    known = state.get_node(name)
    if known is None:
        state.put_node(Node(name, "tcp://a:1", cpus=number))
    elif what == 0:
        state.remove_node(name)
    elif what == 1:
        state.put_node(Node(name, "tcp://a:1", cpus=number))
    elif what == 2:
        state.put_images(name, (Image(f"sha256:{number}"),))
    elif what == 3:
        state.remove_container(name, f"{number % 3}")
    elif what == 4:
        state.reserve(Container("", "under way", ""), name, "placement:1")
    else:
        state.put_container(Container(f"{number % 3}", f"c{number}", name))


_CHANGES = st.lists(st.tuples(st.integers(0, 7), st.sampled_from(["n1", "n2", "n10"]), st.integers(0, 9)), max_size=30)


@given(_CHANGES)
def test_each_marked_moment_is_seen_as_it_was(changes: list[tuple[int, str, int]]) -> None:
    state = ClusterState()
    state.journal.most = 2**30
    seen = [(state.journal.mark(), now(state))]
    for each in changes:
        change(state, *each)
        seen.append((state.journal.mark(), now(state)))
    for moment, then in seen:
        assert (shown(state, moment) or []) == then


def test_it_is_bounded_and_the_oldest_is_forgotten_first() -> None:
    state = ClusterState()
    state.journal.most = 20_000
    state.put_node(Node("n1", "tcp://a:1"))
    moments = []
    for number in range(100):
        moments.append(state.journal.mark())
        state.put_container(Container(f"{number}", f"c{number}", "n1"))
        assert state.journal.size <= 20_000
    reached = [state.journal.reaches(moment) for moment in moments]
    assert reached == sorted(reached), "the latest ones are kept"
    assert not reached[0]
    assert reached[-1]
    state.journal.forget_before(moments[-1])
    assert [state.journal.reaches(moment) for moment in moments] == [False] * 99 + [True]


def test_without_memory_nothing_is_kept() -> None:
    state = ClusterState()
    assert state.journal.mark() == 0
    state.put_node(Node("n1", "tcp://a:1"))
    assert state.journal.nodes_at(0) is None
    assert state.journal.size == 0
