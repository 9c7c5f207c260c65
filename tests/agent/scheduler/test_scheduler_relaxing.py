"""Wishes given up one at a time: the cheapest first, and none that could have been kept."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep import ClusterState, PlacementError, PlacementQuery, Verdict
from skep.scheduler import Rule
from skep.testing import PaperCluster


def paper(relax: str = "one", **weights: float) -> PaperCluster:
    plugins = {name: {"weight": weights.get(name, 1.0)} for name in ("health", "affinity", "constraint")}
    cluster = PaperCluster(settings={"placement": {"relax": relax}, "plugins": plugins})
    for number, (disk, zone) in enumerate(itertools.product(("ssd", "hdd"), ("a", "b")), 1):
        cluster.node(f"n{number}", labels={"disk": disk, "zone": zone})
    cluster.container("web", "n4")
    return cluster


def placed(cluster: PaperCluster, *env: str) -> tuple[str, tuple[str, ...]]:
    placement = cluster.place(Env=list(env))
    assert placement.node is not None
    assert placement.relaxed is bool(placement.given_up)
    return placement.node.name, placement.given_up


@pytest.mark.parametrize(
    ("env", "node", "given_up"),
    [
        (["constraint:disk==~hdd", "constraint:zone==~b"], "n4", ()),
        (["constraint:disk==~hdd", "constraint:zone==~c"], "n3", ("zone==~c",)),
        (["constraint:zone==~c", "constraint:disk==~hdd"], "n3", ("zone==~c",)),
        (["constraint:disk==~ssd", "constraint:disk==~hdd"], "n1", ("disk==~hdd",)),
        (["constraint:disk==~hdd", "constraint:disk==~ssd"], "n3", ("disk==~ssd",)),
        (["constraint:disk==ssd", "constraint:zone==~c", "constraint:disk==~hdd", "constraint:zone==~b"], "n2", ("zone==~c", "disk==~hdd")),
        (["constraint:disk==~ssd", "affinity:container==~web"], "n4", ("disk==~ssd",)),
        (["constraint:disk==~tape"], "n1", ("disk==~tape",)),
        (["constraint:zone==~c", "constraint:zone==~c"], "n1", ("zone==~c", "zone==~c")),
    ],
)  # fmt: skip
def test_only_what_cannot_be_kept_is_given_up(env: list[str], node: str, given_up: tuple[str, ...]) -> None:
    assert placed(paper(), *env) == (node, given_up)


def test_the_wish_of_the_lighter_plugin_goes_first() -> None:
    env = ["constraint:disk==~ssd", "affinity:container==~web"]
    assert placed(paper(constraint=2.0), *env) == ("n1", ("container==~web",))
    assert placed(paper(affinity=2.0), *env) == ("n4", ("disk==~ssd",))
    assert placed(paper(constraint=0.5), *env) == ("n4", ("disk==~ssd",))


def test_by_default_all_go_at_once() -> None:
    env = ["constraint:disk==~hdd", "constraint:zone==~c"]
    assert placed(paper("all"), *env) == ("n1", ("disk==~hdd", "zone==~c"))


def test_hard_rules_are_never_given_up() -> None:
    with pytest.raises(PlacementError):
        paper().place(Env=["constraint:disk==tape", "constraint:zone==~a"])


def test_the_error_is_that_of_the_pass_without_wishes() -> None:
    with pytest.raises(PlacementError) as caught:
        paper().place(Env=["constraint:disk==tape", "constraint:zone==~a"])
    assert "zone" not in str(caught.value)


class _Fickle:
    """A filter that takes back what it said: it refuses n1 where it is alone."""

    def __call__(self, query: PlacementQuery) -> Verdict:
        names = {node.name for node in query.nodes}
        return query.keep(lambda node: node.name != "n1" or len(names) > 1, "it is alone")


def test_a_filter_that_looks_at_the_other_candidates_is_asked_again() -> None:
    cluster = paper()
    cluster.agent.scheduler.filters = [*cluster.agent.scheduler.filters, Rule("fickle", _Fickle())]
    node, given_up = placed(cluster, "constraint:disk==~ssd", "constraint:zone==~a")
    assert (node, given_up) == ("n1", ("zone==~a",))


def kept_by_hand(state: ClusterState, wishes: list[tuple[str, str]]) -> list[bool]:
    """The rule once more, as plainly as can be: from the dearest on, what leaves a node is kept."""
    left, kept = list(state.nodes), []
    for key, value in wishes:
        narrowed = [node for node in left if node.node.labels[key] == value]
        kept.append(bool(narrowed))
        left = narrowed or left
    return kept


_WISHES = st.lists(
    st.tuples(st.sampled_from(["disk", "zone"]), st.sampled_from(["ssd", "hdd", "a", "b", "c"])), max_size=8
)


@given(_WISHES)
def test_it_agrees_with_the_plain_rule(wishes: list[tuple[str, str]]) -> None:
    cluster = paper()
    _, given_up = placed(cluster, *(f"constraint:{key}==~{value}" for key, value in wishes))
    kept = kept_by_hand(cluster.state, wishes)
    assert list(given_up) == [f"{k}==~{v}" for (k, v), was_kept in zip(wishes, kept, strict=True) if not was_kept]


def test_a_hundred_wishes_at_a_thousand_nodes_are_bounded() -> None:
    plugins: dict[str, Any] = {name: {} for name in ("health", "affinity", "constraint", "spread")}
    cluster = PaperCluster(settings={"placement": {"relax": "one"}, "plugins": plugins})
    for number in range(1000):
        cluster.node(f"n{number}", labels={"rack": f"r{number % 50}"})
    env = [f"constraint:rack==~r{number}" for number in range(100)]
    cluster.place(Env=env)
    begun = time.process_time()
    placement = cluster.place(Env=env)
    assert time.process_time() - begun < 0.5, "a few milliseconds are usual"
    assert placement.given_up == tuple(text.removeprefix("constraint:") for text in env[1:])
