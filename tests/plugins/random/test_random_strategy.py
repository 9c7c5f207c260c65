"""Chance that can be repeated."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from skep import PlacementError
from skep.testing import PaperCluster
from skep_random import RandomPlugin, RandomSettings

GIB = 2**30


def made(number: int = 5, **settings: Any) -> PaperCluster:
    paper = PaperCluster(RandomPlugin(RandomSettings(**settings)))
    for n in range(1, number + 1):
        paper.node(f"n{n}")
    return paper


def throws(cluster: PaperCluster, number: int = 400) -> list[str]:
    """Where so many requests go, each with an id of its own."""
    return [cluster.chosen(Labels={"com.docker.swarm.id": f"{n:064x}"}) for n in range(number)]


def test_the_same_requests_go_to_the_same_nodes_whatever_happened_between() -> None:
    first, second = made(), made()
    second.container("busy", "n3")
    assert throws(first) == throws(second) == throws(first)


def test_all_nodes_have_the_same_chance() -> None:
    counted = Counter(throws(made(), 1000))
    assert len(counted) == 5
    assert sum((found - 200) ** 2 / 200 for found in counted.values()) < 18.5  # chi squared, p = 0.001


def test_another_seed_gives_other_throws() -> None:
    assert throws(made()) != throws(made(seed="other"))
    assert throws(made(seed="other")) == throws(made(seed="other"))


def test_a_node_that_leaves_moves_only_what_went_there() -> None:
    before, smaller = throws(made()), made()
    smaller.state.remove_node("n2")
    assert all(new == old for old, new in zip(before, throws(smaller), strict=True) if old != "n2")


def test_before_there_is_an_id_name_and_image_are_what_counts() -> None:
    cluster = made(50)
    assert len({cluster.chosen(f"web-{n}") for n in range(20)}) > 5
    assert len({cluster.chosen("web", Image=f"app:{n}") for n in range(20)}) > 5
    assert len({cluster.chosen("web") for _ in range(20)}) == 1


def test_nodes_without_room_are_refused_unless_they_are_to_be_taken() -> None:
    cluster = made()
    for number in (1, 2, 3, 4):
        cluster.container(f"c{number}", f"n{number}", memory=4 * GIB)
    wanted: dict[str, Any] = {"HostConfig": {"Memory": GIB}}
    assert cluster.fitting(**wanted) == ["n5"]
    assert cluster.reason("n1", **wanted).startswith("not enough memory: 1024 MiB wanted, ")
    cluster.container("c5", "n5", memory=4 * GIB)
    with pytest.raises(PlacementError, match="no resources available to schedule container: 1024 MiB of memory"):
        cluster.place(**wanted)

    classic = made(ignore_resources=True)
    assert len(classic.fitting(HostConfig={"Memory": 99 * GIB})) == 5


def test_with_a_small_weight_it_decides_between_equals_alone() -> None:
    settings = {"plugins": {"spread": {}, "random": {"weight": 0.001}}}
    cluster = PaperCluster(settings=settings)
    for n in range(1, 6):
        cluster.node(f"n{n}")
    cluster.container("a", "n1")
    cluster.container("b", "n4")
    assert set(throws(cluster, 100)) == {"n2", "n3", "n5"}


def test_all_of_many_have_the_same_chance_alone_and_between_equals_of_another_strategy() -> None:
    settings: dict[str, Any] = {"plugins": {"spread": {}, "random": {"weight": 0.001}}}
    for cluster in (made(200), PaperCluster(settings=settings)):
        for n in range(1, 201):
            cluster.node(f"n{n}")
        counted = Counter(int(node[1:]) // 21 for node in throws(cluster, 1000))  # 20 nodes, 21 times nine, and 12
        expected = {each: 1000 * (20 if not each else 12 if each == 9 else 21) / 200 for each in range(10)}
        assert sum((counted[each] - wanted) ** 2 / wanted for each, wanted in expected.items()) < 27.9  # p = 0.001


def test_of_many_nodes_there_are_few_groups() -> None:
    """So that it costs little beside other strategies."""
    scores = {row.score for row in made(2000).explain().values()}
    assert 20 < len(scores) < 300


def test_without_nodes_or_with_one_it_is_not_at_a_loss() -> None:
    assert made(1).chosen() == "n1"
    with pytest.raises(PlacementError):
        made(0).place()
