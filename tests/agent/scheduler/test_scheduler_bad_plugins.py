"""Plugins that answer garbage: a filter's refuses the request and names the plugin, a strategy's counts for nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from skep import PlacementError, PlacementQuery, Plugin, RequestError, Scores, Verdict
from skep.testing import PaperCluster

Answer = Callable[[PlacementQuery], Any]
NAN, INF = float("nan"), float("inf")


class Filtering(Plugin):
    """A filter with any answer."""

    name = "garbage"
    answer: Answer

    def filter_nodes(self, query: PlacementQuery) -> Any:
        return self.answer(query)


class Scoring(Plugin):
    """A strategy with any answer."""

    name = "garbage"
    answer: Answer

    def score_nodes(self, query: PlacementQuery) -> Any:
        return self.answer(query)


def paper(kind: type[Filtering | Scoring], answer: Answer) -> PaperCluster:
    plugin = kind()
    plugin.answer = answer
    cluster = PaperCluster(plugin)
    cluster.node("n1", labels={"nasty": "\x1b[2J\nnode n9 is well" + "x" * 2**20})
    cluster.node("n2")
    return cluster


def decided(cluster: PaperCluster) -> str:
    reservation, decision = cluster.agent.decisions.hold(cluster.request())
    assert len(decision.answers.explain()) == 2
    return reservation.node.name


@pytest.mark.parametrize(
    "answer",
    [
        lambda query: Scores([("x", query.nodes)]),  # type: ignore[list-item]
        lambda query: Scores([(1.0, None)]),  # type: ignore[list-item]
        lambda _: Scores(None),  # type: ignore[arg-type]
        lambda _: Scores(5),  # type: ignore[arg-type]
        lambda _: Scores([1, 2]),  # type: ignore[list-item]
        lambda query: Scores(iter([(1.0, query.nodes)])),  # type: ignore[arg-type]
        lambda _: "n1",
        lambda _: 1 / 0,
        lambda query: Scores([(NAN, query.nodes)]),
        lambda query: Scores([(INF, query.nodes)]),
        lambda query: Scores([(-1e308, query.nodes)]),
        lambda query: Scores([(10**400, query.nodes)]),
    ],
)
def test_a_strategys_garbage_stops_no_placement(answer: Answer) -> None:
    assert decided(paper(Scoring, answer)) == "n1"


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: Verdict(None, lambda _: ""),  # type: ignore[arg-type]
        lambda _: Verdict(5, lambda _: ""),  # type: ignore[arg-type]
        lambda _: ["n1"],
        lambda _: 1 / 0,
    ],
)
def test_a_filters_garbage_refuses_the_request_and_names_the_plugin(answer: Answer) -> None:
    with pytest.raises(RequestError, match="plugin garbage"):
        decided(paper(Filtering, answer))


@pytest.mark.parametrize("wanted", [None, lambda: 1 / 0, lambda: None, lambda: [1, None]])
@pytest.mark.parametrize("why", [None, lambda _: 1 / 0, lambda _: None])
def test_a_refusal_without_words_is_a_refusal(wanted: Any, why: Any) -> None:
    nothing: Answer = lambda query: query.keep(lambda _: False, "").kept  # noqa: E731
    with pytest.raises(PlacementError, match="Unable to find a node"):
        decided(paper(Filtering, lambda query: Verdict(nothing(query), why, wanted)))
    with pytest.raises(PlacementError, match="no resources"):
        decided(paper(Scoring, lambda _: Scores([], why, wanted)))


def test_what_engines_say_of_themselves_is_cut_and_made_harmless_in_errors() -> None:
    def refuse(query: PlacementQuery) -> Verdict:
        return query.keep(lambda _: False, lambda node: f"its label is {node.node.labels.get('nasty')}")

    with pytest.raises(PlacementError) as caught:
        decided(paper(Filtering, refuse))
    assert len(str(caught.value)) < 1500
    assert "\x1b" not in str(caught.value)
    assert "\\x1b[2J node n9 is well" in str(caught.value)
