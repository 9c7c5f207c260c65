"""What clients and engines may send to make a manager hold more than it should, or to place what does not fit."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest

from skep import Container, PlacementError, Port
from skep.testing import PaperCluster

PLUGINS = ("health", "port", "affinity", "constraint", "spread")


def paper(nodes: int = 2) -> PaperCluster:
    cluster = PaperCluster(settings={"plugins": {name: {} for name in PLUGINS}})
    for number in range(1, nodes + 1):
        cluster.node(f"n{number}")
    return cluster


def decide(cluster: PaperCluster, **body: Any) -> None:
    request = cluster.agent.request(json.dumps({"Image": "busybox", **body}).encode(), "")
    cluster.agent.decisions.hold(request)[0].release()


def number_of_ports() -> int:
    gc.collect()
    return sum(type(each) is Port for each in gc.get_objects())


def test_compiled_patterns_are_not_kept_with_a_decision() -> None:
    cluster = paper()
    entries = ["constraint:node!=/x.*/", "affinity:container!=web*"]
    decide(cluster, Env=entries)
    (decision,) = cluster.agent.decisions
    assert sorted(decision.entries) == sorted(entries)
    assert all(each.pattern is None for found in decision.request.expressions.values() for each in found)


def test_ranges_of_ports_do_not_pile_up_in_notes_and_decisions() -> None:
    cluster = paper()
    cluster.place("web", ExposedPorts={"1/tcp": {}})  # from now on an index of ports follows all changes
    before = number_of_ports()
    for _ in range(6):
        decide(cluster, ExposedPorts={"1-65535/tcp": {}})
    assert number_of_ports() - before < 3 * 65535


def test_large_labels_count_in_what_is_kept_of_the_clusters_past() -> None:
    cluster = paper()
    for number in range(20):
        cluster.container("web", "n1", labels={"text": "x" * 2**20 + str(number)})
        decide(cluster)
    assert cluster.state.journal.size > 10 * 2**20
    for number in range(20):
        cluster.container("web", "n1", labels={"text": "y" * 2**20 + str(number)})
        decide(cluster)
    assert cluster.state.journal.size <= cluster.state.journal.most
    with pytest.raises(Exception, match="no longer kept"):
        cluster.agent.decisions.past(list(cluster.agent.decisions)[-1])


@pytest.mark.parametrize(
    ("less", "wanted"),
    [
        ({"Memory": -(2**40)}, {"Memory": 3 * 2**30}),
        ({"NanoCpus": -(10**12)}, {"NanoCpus": 3 * 10**9}),
        ({"CpuShares": -1000}, {"NanoCpus": 3 * 10**9}),
    ],
)
def test_less_than_nothing_makes_no_room(less: dict[str, int], wanted: dict[str, int]) -> None:
    cluster = paper(nodes=1)
    cluster.agent.decisions.hold(cluster.request(HostConfig=less))  # under way until its engine refuses it
    cluster.agent.decisions.hold(cluster.request(HostConfig=wanted))
    with pytest.raises(PlacementError, match="no resources"):
        cluster.place(HostConfig=wanted)


def test_environments_are_not_kept_with_a_placement_under_way() -> None:
    cluster = paper()
    cluster.agent.decisions.hold(cluster.request(Env=["PASSWORD=hunter2"]))
    (container,) = cluster.state.containers()
    assert container.env == ()


@pytest.mark.parametrize("value", ["x", "x*", "/^$/", "*"])
def test_a_hundred_labels_that_nobody_has_cost_no_look_at_every_container(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = paper()
    for number in range(100):
        cluster.container(f"web{number}", "n1", labels={"app": "web", "number": str(number)})
    reads, label = [], Container.label
    monkeypatch.setattr(Container, "label", lambda each, key: (reads.append(key), label(each, key))[1])  # type: ignore[func-returns-value]
    fits = value in ("/^$/", "*")  # as "" does
    entries = [f"affinity:label{number}=={value}" for number in range(45)]
    entries += [f"affinity:label{number}!={value}" for number in range(45, 50)]
    assert cluster.fitting(Env=entries[:45]) == (["n1"] if fits else [])
    assert cluster.fitting(Env=entries[45:]) == (["n2"] if fits else ["n1", "n2"])
    # those of one label by the filter, once more by the reason that is told; not 45 times 100
    assert len([key for key in reads if key.startswith("label")]) < 300
    assert cluster.fitting(Env=[f"affinity:app=={value}"]) == (["n1"] if value == "*" else [])
