"""Which node is the fullest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep import PlacementError
from skep.testing import PaperCluster
from skep_binpack import BinpackPlugin
from skep_spread import SpreadPlugin

GIB = 2**30
STRICT = {"cluster": {"overcommit": 0.0}}


@pytest.fixture
def cluster() -> PaperCluster:
    """Three nodes of 4 CPUs and 4 GiB."""
    paper = PaperCluster(BinpackPlugin, settings=STRICT)
    for name in ("n1", "n2", "n10"):
        paper.node(name)
    return paper


def filled(cluster: PaperCluster, number: int, **body: Any) -> list[str]:
    """Where so many go, one after another."""
    order = []
    for each in range(number):
        node = cluster.chosen(**body)
        order.append(node)
        cluster.container(f"c{each}", node, memory=body.get("HostConfig", {}).get("Memory", 0))
    return order


def test_one_node_is_filled_before_the_next(cluster: PaperCluster) -> None:
    order = filled(cluster, 12, HostConfig={"Memory": GIB})
    assert order == ["n1"] * 4 + ["n2"] * 4 + ["n10"] * 4
    with pytest.raises(PlacementError, match="no resources available to schedule container: 1024 MiB of memory"):
        cluster.place(HostConfig={"Memory": GIB})


def test_without_reservations_the_most_containers_win(cluster: PaperCluster) -> None:
    cluster.container("old", "n2", state="exited")
    assert filled(cluster, 5) == ["n2"] * 5


def test_a_reservation_goes_where_the_least_is_free_and_is_enough(cluster: PaperCluster) -> None:
    cluster.container("a", "n1", memory=GIB)
    cluster.container("b", "n2", memory=2 * GIB)
    cluster.container("c", "n10", memory=3 * GIB)
    assert cluster.chosen(HostConfig={"Memory": GIB}) == "n10"
    assert cluster.chosen(HostConfig={"Memory": 2 * GIB}) == "n2"
    assert cluster.reason("n10", HostConfig={"Memory": 2 * GIB}) == (
        "not enough memory: 2048 MiB wanted, 1024 MiB of 4096 MiB free"
    )


def test_of_equal_weights_the_most_containers_decide_then_names(cluster: PaperCluster) -> None:
    assert cluster.chosen(HostConfig={"Memory": GIB}) == "n1"
    cluster.container("idle", "n10")
    assert cluster.chosen(HostConfig={"Memory": GIB}) == "n10"


def test_a_node_with_failures_comes_last() -> None:
    cluster = PaperCluster(BinpackPlugin, settings=STRICT)
    cluster.node("n1", failures=1)
    cluster.node("n2")
    cluster.container("a", "n1", memory=3 * GIB)
    assert cluster.chosen() == "n2"
    assert cluster.chosen(HostConfig={"Memory": GIB}) == "n2"


LOADS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from((0, 1, 2)), st.integers(0, 2)), max_size=20)


@given(LOADS, st.sampled_from((0, GIB)), st.sampled_from((0, 10**9)))
def test_it_is_the_reverse_of_spread(loads: list[tuple[int, int, int]], memory: int, nano_cpus: int) -> None:
    scores = []
    for plugin in (SpreadPlugin, BinpackPlugin):
        cluster = PaperCluster(plugin, settings=STRICT)
        for number in range(5):
            cluster.node(f"n{number}")
        for number, (node, gib, cpus) in enumerate(loads):
            cluster.container(f"c{number}", f"n{node}", memory=gib * GIB, nano_cpus=cpus * 10**9)
        rows = cluster.explain(HostConfig={"Memory": memory, "NanoCpus": nano_cpus})
        scores.append({name: (row.score, row.reason) for name, row in rows.items()})
    spread, binpack = scores
    for name, (score, reason) in spread.items():
        assert binpack[name] == (None if score is None else -score, reason)
