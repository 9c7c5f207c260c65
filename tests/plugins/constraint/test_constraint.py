"""Which nodes each constraint keeps, and what it says of the others."""

from __future__ import annotations

import pytest

from skep import ExpressionError, PlacementError
from skep.testing import PaperCluster
from skep_constraint import ConstraintPlugin


@pytest.fixture
def cluster() -> PaperCluster:
    paper = PaperCluster(ConstraintPlugin)
    kernel = {
        "storagedriver": "overlay2",
        "kernelversion": "6.1.0-13",
        "operatingsystem": "Debian 12",
        "ostype": "linux",
    }
    paper.node("n1", labels={"disk": "ssd", "zone": "eu-1", **kernel})
    paper.node("n2", labels={"disk": "hdd", "zone": "eu-2", **kernel, "ostype": "windows"})
    paper.node("n10", labels={"disk": "SSD", "zone": "us-1", "kernelversion": "5.10.0"})
    return paper


ALL = ["n1", "n2", "n10"]
KEPT: dict[str, dict[str, list[str]]] = {
    "3.3 name and id": {
        "node==n1": ["n1"],
        "node==ID-n2": ["n2"],
        "node==n1*": ["n1", "n10"],
        "node==ID-*": ALL,
        "node==n": [],
        "node==N1": [],
        "node!=n1": ["n2", "n10"],
        "node!=ID-n1": ["n2", "n10"],  # neither candidate may match
        "node!=n1*": ["n2"],
        "node==/n[12]/": ALL,
        "node==/^n[12]$/": ["n1", "n2"],
        "node!=/0$/": ["n1", "n2"],
    },
    "3.3 labels": {
        "disk==ssd": ["n1"],
        "disk!=ssd": ["n2", "n10"],
        "disk==s*": ["n1"],
        "disk==*d": ["n1", "n2"],
        "disk==/(?i)SSD/": ["n1", "n10"],
        "Disk==ssd": [],
        "zone==eu-*": ["n1", "n2"],
        "zone==/eu|us/": ALL,
    },
    "3.3 a label that is not there": {
        "absent==x": [],
        "absent!=x": ALL,
        "absent==*": ALL,  # it counts as ""
        "absent!=*": [],
        "absent==//": ALL,
        "absent==/./": [],
    },
    "3.2 only * is special in a glob": {
        "zone==eu-?": [],
        "zone==eu.1": [],
        "zone==eu|us-1": [],
        "zone==[eu]*": [],
    },
    "3.4 standard keys": {
        "storagedriver==overlay2": ["n1", "n2"],
        "storagedriver!=overlay2": ["n10"],  # which does not tell its own
        "kernelversion==6.*": ["n1", "n2"],
        "operatingsystem==Debian 12": ["n1", "n2"],
        "ostype==linux": ["n1"],
        "ostype==/(linux)|(windows)/": ["n1", "n2"],
        "executiondriver==native": [],  # long gone: a label like any other
    },
    "3.5 wishes": {
        "disk==~ssd": ["n1"],
        "disk!=~ssd": ["n2", "n10"],
        "disk==~/^s/": ["n1"],
        "disk==~nvme": ALL,
        "disk!=~*": ALL,
    },
}
ROWS = [
    pytest.param(expression, kept, id=f"{section}: {expression}")
    for section, rows in KEPT.items()
    for expression, kept in rows.items()
]


@pytest.mark.parametrize(("expression", "kept"), ROWS)
def test_it_keeps(cluster: PaperCluster, expression: str, kept: list[str]) -> None:
    assert cluster.fitting(Env=[f"constraint:{expression}"]) == kept
    assert cluster.fitting(Labels={"com.docker.swarm.constraints": f'["{expression}"]'}) == kept


def test_an_answer_that_is_kept_is_not_taken_for_anothers(cluster: PaperCluster) -> None:
    rows = [row for each in KEPT.values() for row in each.items()]
    for expression, kept in (*rows, *reversed(rows)):
        negated = expression.replace("!=", "==") if "!=" in expression else expression.replace("==", "!=", 1)
        assert cluster.fitting(Env=[f"constraint:{expression}"]) == kept
        if "~" not in expression:
            assert cluster.fitting(Env=[f"constraint:{negated}"]) == [node for node in ALL if node not in kept]


@pytest.mark.parametrize(
    ("expression", "kept"),
    [
        pytest.param(expression, kept, id=f"3.2 as in Swarm: {expression}")
        for expression, kept in {
            "node==n.": ["n1", "n2"],
            "node==n10?": ["n1", "n10"],
            "node==n1|2": ALL,  # what begins with n1, or ends with 2
            "node==n[12]": ["n1", "n2"],
            "node==n1*": ["n1", "n10"],
            "node==n1": ["n1"],
            "zone==eu.1": ["n1"],
            "zone!=eu.1": ["n2", "n10"],
            "zone==/^us/": ["n10"],
            "absent==*": ALL,
        }.items()
    ],
)
def test_it_can_read_globs_as_the_original_does(expression: str, kept: list[str]) -> None:
    cluster = PaperCluster(settings={"plugins": {"constraint": {"swarm_globs": True}}})
    for name, zone in (("n1", "eu-1"), ("n2", "eu-2"), ("n10", "us-1")):
        cluster.node(name, id=f"X{name}X", labels={"zone": zone})
    assert cluster.fitting(Env=[f"constraint:{expression}"]) == kept


def test_a_glob_that_is_no_regular_expression_is_refused_where_it_is_read_as_one() -> None:
    cluster = PaperCluster(settings={"plugins": {"constraint": {"swarm_globs": True}}})
    told = r"^invalid constraint 'node==n\(' \(environment entry 2\), at character 7: expected a regular"
    with pytest.raises(ExpressionError, match=told):
        cluster.request(Env=["A=b", "constraint:node==n("])


def test_all_must_fit(cluster: PaperCluster) -> None:
    assert cluster.fitting(Env=["constraint:disk==*d", "constraint:node!=n1"]) == ["n2"]
    assert cluster.fitting(Env=["constraint:disk==ssd", "constraint:disk==hdd"]) == []


def test_wishes_are_given_up_all_at_once(cluster: PaperCluster) -> None:
    env = ["constraint:disk==~ssd", "constraint:zone==~us-1", "constraint:node!=n10"]
    placement = cluster.place(Env=env)
    assert placement.relaxed
    assert placement.given_up == ("disk==~ssd", "zone==~us-1")
    assert cluster.fitting(Env=env) == ["n1", "n2"]
    assert cluster.place(Env=["constraint:disk==~hdd"]).given_up == ()


@pytest.mark.parametrize(
    ("node", "expression", "reason"),
    [
        ("n2", "disk==ssd", 'constraint disk==ssd: its label disk is "hdd"'),
        ("n1", "disk!=s*", 'constraint disk!=s*: its label disk is "ssd"'),
        ("n1", "rack==7", "constraint rack==7: it has no label rack"),
        ("n2", "node==n1", "constraint node==n1: it is n2"),
        ("n2", "node!=n2", "constraint node!=n2: it is n2"),
        ("n2", "node!=ID-n2", "constraint node!=ID-n2: it is n2"),
    ],
)
def test_the_reason_names_what_was_wanted_and_what_is_there(
    cluster: PaperCluster, node: str, expression: str, reason: str
) -> None:
    assert cluster.reason(node, Env=[f"constraint:{expression}"]) == reason


def test_the_first_that_does_not_fit_is_told(cluster: PaperCluster) -> None:
    reason = cluster.reason("n2", Env=["constraint:zone==eu-2", "constraint:disk==ssd", "constraint:node==n1"])
    assert reason == 'constraint disk==ssd: its label disk is "hdd"'


def test_the_error_names_the_constraints(cluster: PaperCluster) -> None:
    with pytest.raises(PlacementError) as caught:
        cluster.place(Env=["constraint:disk==nvme", "constraint:node==n1"])
    first, *lines = str(caught.value).splitlines()
    assert first == (
        "Unable to find a node that satisfies the following conditions: constraint disk==nvme; constraint node==n1"
    )
    assert lines[0] == '  n1: constraint disk==nvme: its label disk is "ssd"'


def test_a_change_of_nodes_is_seen(cluster: PaperCluster) -> None:
    assert cluster.fitting(Env=["constraint:node==n2*"]) == ["n2"]
    cluster.node("n20")
    assert cluster.fitting(Env=["constraint:node==n2*"]) == ["n2", "n20"]
    cluster.node("n20", id="other")
    assert cluster.fitting(Env=["constraint:node==other"]) == ["n20"]
    cluster.state.remove_node("n2")
    assert cluster.fitting(Env=["constraint:node==n2*"]) == ["n20"]
