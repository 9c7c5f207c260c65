"""Which decisions are kept, what is told of them, and what never is."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest

from skep import NotFoundError, PlacementError, RequestError
from skep.testing import PaperCluster


def paper(nodes: int = 3, strategies: tuple[str, ...] = ("spread",), **placement: Any) -> PaperCluster:
    plugins: dict[str, Any] = {name: {} for name in ("health", "constraint", "port", *strategies)}
    cluster = PaperCluster(settings={"placement": placement, "plugins": plugins})
    for number in range(1, nodes + 1):
        cluster.node(f"n{number}", labels={"disk": "ssd" if number == 2 else "hdd"})
    return cluster


def decide(cluster: PaperCluster, name: str = "", **body: Any) -> None:
    request = cluster.agent.request(json.dumps({"Image": "busybox", **body}).encode(), name)
    with contextlib.suppress(RequestError):
        cluster.agent.decisions.hold(request, client="me")[0].release()


@pytest.mark.parametrize("strategies", [("spread",), ("spread", "binpack"), ("random",)])
@pytest.mark.parametrize("env", [["constraint:disk==ssd"], ["constraint:disk==~tape"], ["constraint:disk==tape"], []])
def test_a_decision_tells_what_its_placement_tells(strategies: tuple[str, ...], env: list[str]) -> None:
    cluster = paper(9, strategies)
    body = {"Env": env, "HostConfig": {"Memory": 2**30}}
    expected = cluster.explain("web", **body)
    decide(cluster, "web", **body)
    (decision,) = cluster.agent.decisions
    assert {row.node: row for row in decision.answers.explain()} == expected


def test_at_many_nodes_some_reasons_are_kept_and_all_verdicts() -> None:
    cluster = paper(200)
    decide(cluster, "web", Env=["constraint:disk==ssd"])
    (decision,) = cluster.agent.decisions
    rows = decision.answers.explain()
    assert [row.node for row in rows if not row.refused_by] == ["n2"]
    assert all(row.filters[-1].verdict == "refused" for row in rows if row.refused_by)
    assert len([row for row in rows if row.reason]) == 2


def test_of_many_scores_those_of_the_chosen_node_are_kept_whatever_they_are() -> None:
    cluster = PaperCluster(settings={"plugins": {"spread": {}, "random": {"weight": 1000}}})
    for number in range(99):  # one percent more of each is taken, so that there are 99 scores
        cluster.node(f"n{number}", memory=100 * 2**30)
        cluster.container(f"c{number}", f"n{number}", memory=number * 2**30)
    for number in range(12):
        decide(cluster, f"web{number}", HostConfig={"Memory": 2**30})
    told = [row.scores for each in cluster.agent.decisions for row in each.answers.explain() if row.chosen]
    assert [[mark.strategy for mark in marks] for marks in told] == [["spread", "random"]] * 12
    assert min(marks[0].score for marks in told) < -170  # beyond the best 64


def test_environments_are_never_kept() -> None:
    cluster = paper()
    env = ["PASSWORD=hunter2", "constraint:disk==ssd"]
    decide(cluster, "web", Env=env, Cmd=["hunter2"], HostConfig={"LogConfig": {"Config": {"token": "hunter2"}}})
    (decision,) = cluster.agent.decisions
    assert "hunter2" not in repr(decision) + repr(decision.request.body)
    assert decision.request.container.env == ()
    assert decision.entries == ["constraint:disk==ssd"]
    assert b"hunter2" not in msgspec.json.encode(decision.view())


def test_they_are_bounded_by_number_and_by_memory() -> None:
    cluster = paper(decisions=3)
    for number in range(5):
        decide(cluster, f"c{number}")
    assert [each.request.container.name for each in cluster.agent.decisions] == ["c4", "c3", "c2"]
    small = paper(500, decisions=1000, decisions_memory=2**17)
    for number in range(100):
        decide(small, f"c{number}", Env=["constraint:disk==hdd"])
    assert 1 <= len(small.agent.decisions) < 30
    assert next(iter(small.agent.decisions)).request.container.name == "c99"


def test_none_are_kept_where_the_setting_says_so() -> None:
    cluster = paper(decisions=0)
    decide(cluster)
    assert len(cluster.agent.decisions) == 0
    assert cluster.agent.cluster.state.journal.size == 0
    request = cluster.agent.request(b'{"Image": "x", "Env": ["constraint:disk==tape"]}')
    with pytest.raises(PlacementError) as caught:
        cluster.agent.decisions.hold(request)
    assert "skep decisions" not in str(caught.value)


def test_a_name_that_is_taken_is_a_decision_too() -> None:
    cluster = paper()
    cluster.container("web", "n1")
    decide(cluster, "web")
    (decision,) = cluster.agent.decisions
    assert decision.outcome == "refused"
    assert "already assigned" in decision.error
    assert decision.answers.explain() == []


def test_they_are_found_by_id_its_beginning_and_the_containers_name() -> None:
    cluster = paper()
    for name in ("web", "db", "web"):
        decide(cluster, name)
    latest, _, first = cluster.agent.decisions
    get = cluster.agent.decisions.get
    assert get(first.id) is first
    assert get(first.id[:7]) is first
    assert get("web") is latest
    for wrong in ("", "nothing"):
        with pytest.raises(NotFoundError):
            get(wrong)


def test_what_the_cluster_was_like_is_forgotten_before_the_decision_is() -> None:
    cluster = paper(40, decisions_memory=2**16)
    decide(cluster, "web")
    for number in range(1, 41):
        cluster.container(f"c{number}", f"n{number}")
    (decision,) = cluster.agent.decisions
    with pytest.raises(NotFoundError, match="decisions_memory"):
        cluster.agent.decisions.past(decision)
