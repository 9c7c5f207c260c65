"""Which nodes a whitelist keeps (section 4.7 of classic Swarm's rules)."""

from __future__ import annotations

import json

import pytest

from skep import ExpressionError, PlacementError
from skep.testing import PaperCluster
from skep_whitelist import WhitelistPlugin

LABEL = "com.docker.swarm.whitelists"
ALL = ["n1", "n2", "n10"]


@pytest.fixture
def cluster() -> PaperCluster:
    paper = PaperCluster(WhitelistPlugin)
    for name in ALL:
        paper.node(name)
    return paper


KEPT = {
    "4.7 one name": (["node==n1"], ["n1"]),
    "4.7 several names": (["node==n1|n10"], ["n1", "n10"]),
    "4.7 a name that nobody has": (["node==n1|n9"], ["n1"]),
    "4.7 nobody": (["node==n9"], []),
    "4.7 no beginnings of names": (["node==n"], []),
    "4.7 no ids": (["node==ID-n1"], []),
    "4.7 case counts": (["node==N1"], []),
    "4.7 blanks count": (["node==n1 | n2"], []),
    "4.7 empty parts": (["node==|n1||"], ["n1"]),
    "4.7 dots are dots": (["node==n.|n2"], ["n2"]),
    "4.7 several whitelists intersect": (["node==n1|n2", "node==n2|n10"], ["n2"]),
    "4.7 several that exclude each other": (["node==n1", "node==n2"], []),
    "4.7 soft, kept": (["node==~n2"], ["n2"]),
    "4.7 soft, given up": (["node==~n9"], ALL),
    "4.7 soft beside hard": (["node==n1|n2", "node==~n9"], ["n1", "n2"]),
    "4.7 != (a quirk of the original, where it is ==)": (["node!=n1|n2"], ["n10"]),
    "4.7 != soft": (["node!=~n1|n2|n10"], ALL),
}


@pytest.mark.parametrize(("entries", "kept"), KEPT.values(), ids=KEPT)
def test_it_keeps(cluster: PaperCluster, entries: list[str], kept: list[str]) -> None:
    assert cluster.fitting(Env=[f"whitelist:{each}" for each in entries]) == kept
    assert cluster.fitting(Labels={LABEL: json.dumps(entries)}) == kept


@pytest.mark.parametrize(
    ("expression", "position", "expected"),
    [
        pytest.param("zone==n1", 0, "expected the key node", id="4.7 another key (ignored in the original)"),
        pytest.param("node==n*", 7, "expected names of nodes", id="4.7 no globs"),
        pytest.param("node==~n1|n*", 11, "expected names of nodes", id="4.7 no globs in a soft one"),
        pytest.param("node==/n1/", 6, "expected names of nodes", id="4.7 no regular expressions"),
        pytest.param("node=n1", 4, "expected one of the operators", id="3.1 no operator"),
        pytest.param("", 0, "expected one of the operators", id="3.1 nothing"),
        pytest.param("node==", 6, "expected a value", id="3.1 no value"),
    ],
)
def test_what_is_no_list_of_names_is_refused(
    cluster: PaperCluster, expression: str, position: int, expected: str
) -> None:
    with pytest.raises(ExpressionError, match=expected) as caught:
        cluster.place(Env=[f"whitelist:{expression}"])
    assert caught.value.position == position
    assert str(caught.value).startswith(f"invalid whitelist {expression!r} (environment entry 1), at")


def test_a_pattern_is_refused_even_where_wishes_are_given_up(cluster: PaperCluster) -> None:
    with pytest.raises(ExpressionError):
        cluster.place(Env=["whitelist:node==~n9", "whitelist:node==~n*"])


def test_the_entries_are_kept_in_the_label_as_the_original_writes_it(cluster: PaperCluster) -> None:
    request = cluster.agent.request(b'{"Env":["A=1","whitelist:node==n1|n2"]}')
    assert (request.body["Env"], request.body["Labels"]) == (["A=1"], {LABEL: '["node==n1|n2"]'})


def test_the_error_tells_list_and_nodes(cluster: PaperCluster) -> None:
    with pytest.raises(PlacementError) as caught:
        cluster.place(Env=["whitelist:node==n1|n2", "whitelist:node!=n1|n2"])
    assert str(caught.value).splitlines() == [
        "Unable to find a node that satisfies the following conditions: whitelist node==n1|n2; whitelist node!=n1|n2",
        "  n1: whitelist node!=n1|n2: it is n1",
        "  n2: whitelist node!=n1|n2: it is n2",
        "  n10: whitelist node==n1|n2: it is n10",
    ]
