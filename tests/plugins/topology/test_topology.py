"""Containers spread over zones, racks and nodes."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skep import ExpressionError, NodeStatus, PlacementError
from skep.testing import PaperCluster
from skep_topology import TopologyPlugin, TopologySettings
from skep_topology.entries import groups_of

GIB: dict[str, Any] = {"HostConfig": {"Memory": 2**30}}
ZONES = {"n1": "a", "n2": "a", "n3": "b", "n4": "b", "n5": "c"}


def made(plugins: tuple[str, ...] = ("health", "constraint", "topology", "spread"), **settings: Any) -> PaperCluster:
    tables: dict[str, dict[str, Any]] = {name: {} for name in plugins}
    tables["topology"] = settings
    paper = PaperCluster(settings={"plugins": tables, "cluster": {"overcommit": 0.0}})
    for name, zone in ZONES.items():
        paper.node(name, labels={"zone": zone})
    paper.node("n6")  # without the label
    return paper


class Runs:
    """Places containers, and puts them where they went."""

    def __init__(self, cluster: PaperCluster) -> None:
        self.cluster = cluster
        self._number = 0

    def __call__(self, entry: str, *, image: str = "app", labels: dict[str, str] | None = None, **body: Any) -> str:
        env = [f"spread:{entry}", *body.pop("Env", ())]
        placement = self.cluster.place(Env=env, Image=image, Labels=labels or {}, **body)
        assert placement.node is not None
        container = placement.request.container
        self._number += 1
        self.cluster.container(
            f"c{self._number}",
            placement.node.name,
            image=image,
            labels=dict(container.labels),
            memory=container.memory,
        )
        return placement.node.name


@pytest.mark.parametrize("entry", ["zone", "zone==1", "~zone", "zone==~1"])
def test_one_after_another_goes_to_the_zone_with_the_fewest(entry: str) -> None:
    run = Runs(made())
    order = [run(entry) for _ in range(7)]
    assert [ZONES[node] for node in order] == ["a", "b", "c", "a", "b", "c", "a"]
    assert order == ["n1", "n3", "n5", "n2", "n4", "n5", "n1"]  # within a zone the strategy spread decides


def test_over_nodes_it_keeps_apart() -> None:
    run = Runs(made())
    assert [run("node") for _ in range(7)] == ["n1", "n2", "n3", "n4", "n5", "n6", "n1"]


def test_a_node_without_the_label_is_refused_and_told() -> None:
    cluster = made()
    assert cluster.reason("n6", Env=["spread:zone"]) == "spread zone: it has no label zone"
    with pytest.raises(
        PlacementError, match=r"conditions: spread rack==2\n  n1: topology: spread rack==2: it has no label rack"
    ):
        cluster.place(Env=["spread:rack==2"])
    assert cluster.chosen(Env=["spread:~rack"]) == "n1"


def test_a_domain_that_has_more_than_the_skew_is_refused_and_told() -> None:
    cluster = made()
    run = Runs(cluster)
    only_a = ["constraint:zone==a"]
    assert [run("zone==2", Env=only_a) for _ in range(2)] == ["n1", "n2"]
    env = ["spread:zone==2"]
    assert cluster.fitting(Env=env, Image="app") == ["n3", "n4", "n5"]
    assert cluster.reason("n1", Env=env, Image="app") == (
        'spread zone==2: zone "a" holds 2 of its group already, zone "b" 0; one more would differ by 3'
    )
    assert cluster.fitting(Env=["spread:zone==3"], Image="app") == ["n1", "n2", "n3", "n4", "n5"]
    assert cluster.reason("n1", Env=["spread:node"], Image="app") == ""  # another key is another group


def test_within_the_skew_the_fewest_are_preferred_in_proportion_to_the_weight() -> None:
    cluster = made(weight=3)
    run = Runs(cluster)
    assert [ZONES[run("zone==5")] for _ in range(6)] == ["a", "b", "c"] * 2
    for number in range(9):
        cluster.container(f"other{number}", "n5")
    assert [ZONES[run("zone==5")] for _ in range(3)] == ["a", "b", "c"]  # although n5 is the fullest


def test_a_wish_is_given_up_where_its_zone_is_full() -> None:
    cluster = made()
    run = Runs(cluster)
    cluster.container("big", "n5", memory=4 * 2**30)
    assert [ZONES[run("~zone", **GIB)] for _ in range(4)] == ["a", "b", "a", "b"]
    with pytest.raises(PlacementError):
        run("zone", **GIB)


@pytest.mark.parametrize(
    ("settings", "first", "second", "together"),
    [
        ({}, ("app", {}), ("app", {}), True),
        ({}, ("app", {}), ("other", {}), False),
        ({}, ("app", {"com.docker.compose.service": "web"}), ("app", {}), True),  # half of the pair is none of it
        ({}, ("app", "p/web"), ("app:2", "p/web"), True),
        ({}, ("app", "p/web"), ("app", "p/db"), False),
        ({}, ("app", "p/web"), ("app", "q/web"), False),
        ({}, ("app", "p/web"), ("app", {}), False),
        ({"group_by": ["app"]}, ("one", {"app": "x"}), ("two", {"app": "x"}), True),
        ({"group_by": ["app"]}, ("one", {"app": "x"}), ("one", {"app": "y"}), False),
        ({"group_by": []}, ("app", "p/web"), ("app", "p/db"), True),
    ],
)
def test_who_is_of_one_group(
    settings: dict[str, Any], first: tuple[str, Any], second: tuple[str, Any], together: bool
) -> None:
    cluster = made(**settings)
    run = Runs(cluster)
    image, labels = first
    assert run("zone", image=image, labels=_labels(labels)) == "n1"
    image, labels = second
    assert ("n1" in cluster.fitting(Env=["spread:zone"], Image=image, Labels=_labels(labels))) is not together


def _labels(given: Any) -> dict[str, str]:
    if not isinstance(given, str):
        return dict(given)
    project, service = given.split("/")
    return {"com.docker.compose.project": project, "com.docker.compose.service": service}


def test_containers_without_the_entry_do_not_count() -> None:
    cluster = made()
    for number in range(3):
        cluster.container(f"c{number}", "n1", image="app")
    assert cluster.fitting(Env=["spread:zone"], Image="app") == ["n1", "n2", "n3", "n4", "n5"]


def test_stopped_ones_and_those_under_way_count() -> None:
    cluster = made()
    labels = {"skep.spread": '["zone"]'}
    cluster.container("old", "n1", image="app", labels=labels, state="exited")
    body = json.dumps({"Image": "app", "Env": ["spread:zone"]}).encode()
    with cluster.agent.scheduler.reserve(cluster.agent.request(body)) as placement:
        assert placement.node is not None
        assert placement.node.name == "n3"
        assert cluster.fitting(Env=["spread:zone"], Image="app") == ["n5"]


def test_a_zone_that_is_down_or_ruled_out_does_not_hold_the_others_back() -> None:
    cluster = made()
    run = Runs(cluster)
    assert [run("zone") for _ in range(2)] == ["n1", "n3"]
    assert cluster.fitting(Env=["spread:zone"], Image="app") == ["n5"]
    assert cluster.fitting(Env=["spread:zone", "constraint:zone!=c"], Image="app") == ["n1", "n2", "n3", "n4"]
    cluster.node("n5", labels={"zone": "c"}, status=NodeStatus.UNHEALTHY)
    assert cluster.fitting(Env=["spread:zone"], Image="app") == ["n1", "n2", "n3", "n4"]


def test_a_zone_that_is_down_counts_not_even_where_health_is_asked_later() -> None:
    cluster = made(("topology", "health"))
    cluster.node("n5", labels={"zone": "c"}, status=NodeStatus.UNHEALTHY)
    for name in ("n1", "n3"):
        cluster.container(name, name, image="app", labels={"skep.spread": '["zone"]'})
    assert cluster.fitting(Env=["spread:zone"], Image="app") == ["n1", "n2", "n3", "n4"]


def test_a_full_zone_holds_the_others_back() -> None:
    cluster = made()
    run = Runs(cluster)
    assert [run("zone", **GIB) for _ in range(2)] == ["n1", "n3"]
    cluster.container("big", "n5", memory=4 * 2**30)
    with pytest.raises(PlacementError, match="n5: spread: not enough memory"):
        run("zone", **GIB)


def test_zones_and_nodes_together() -> None:
    run = Runs(made())
    order = [run("zone==2", Env=["spread:node"]) for _ in range(5)]
    assert sorted(order) == ["n1", "n2", "n3", "n4", "n5"]


@pytest.mark.parametrize(
    ("entry", "at", "expected"),
    [
        ("zone==x", 6, "a whole number from 1 to 10000"),
        ("zone==0", 6, "a whole number"),
        ("zone==~-1", 7, "a whole number"),
        ("zone==1*", 6, "a whole number"),
        ("zone==99999", 6, "a whole number"),
        ("zone!=1", 4, "=="),
        ("", 0, "a key of two or more letters"),
        ("~", 1, "a key of two or more letters"),
        ("z", 1, "a key of two or more letters"),
        ("zone=1", 4, "== and a value, or nothing more"),
        ("~zone=x", 5, "== and a value, or nothing more"),
        ("~zo ne", 3, "a key of two or more letters"),
        ("zone==", 6, "a value"),
    ],
)
def test_a_malformed_entry_is_refused_naming_the_place(entry: str, at: int, expected: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        made().request(Env=["A=b", f"spread:{entry}"])
    assert (caught.value.expression, caught.value.position) == (entry, at)
    assert str(caught.value).startswith(f"invalid spread {entry!r} (environment entry 2), at")
    assert caught.value.expected.startswith(expected)


def test_the_entry_is_kept_in_a_label_of_the_plugins_own() -> None:
    request = made().place(Env=["spread:zone", "A=b"]).request
    assert request.container.labels == {"skep.spread": '["zone"]'}
    assert request.container.env == ("A=b",)


@pytest.mark.parametrize("label", ["", "{", "7", '{"a": 1}', "[1, null]", "[" * 10_000, '["zone'])
def test_senseless_labels_of_others_are_of_no_group(label: str) -> None:
    cluster = made()
    cluster.container("odd", "n1", image="app", labels={"skep.spread": label})
    assert "n1" in cluster.fitting(Env=["spread:zone"], Image="app")


def test_without_entries_it_has_no_opinion() -> None:
    plugin = PaperCluster(TopologyPlugin(TopologySettings()))
    plugin.node("n1")
    placement = plugin.place()
    assert (placement.verdicts, placement.scores) == ((), ())


@given(st.integers(1, 3), st.lists(st.sampled_from(list(ZONES)), max_size=12))
def test_the_nodes_kept_are_those_of_a_plain_count(skew: int, held: list[str]) -> None:
    cluster = made()
    for number, node in enumerate(held):
        cluster.container(f"c{number}", node, image="app", labels={"skep.spread": '["zone==~3", "node"]'})
    counts = Counter(ZONES[node] for node in held)
    least = min(counts[zone] for zone in ZONES.values())
    expected = [node for node, zone in ZONES.items() if counts[zone] + 1 - least <= skew]
    assert cluster.fitting(Env=[f"spread:zone=={skew}"], Image="app") == expected
    scores = cluster.explain(Env=[f"spread:zone=={skew}"], Image="app")
    marks = [scores[node].scores[0].score for node in sorted(expected, key=lambda node: counts[ZONES[node]])]
    assert all(better >= worse for better, worse in pairwise(marks))


def test_another_containers_label_with_thousands_of_keys_is_read_no_further() -> None:
    cluster = made()
    entries = json.dumps([f"key{number}" for number in range(100_000)])
    container = cluster.container("hostile", "n1", labels={"skep.spread": entries})
    assert len(list(groups_of(container, ()))) == 100
