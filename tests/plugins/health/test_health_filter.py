"""Containers go to nodes that answer."""

from __future__ import annotations

import pytest

from skep import NodeStatus, PlacementError
from skep.testing import PaperCluster
from skep_health import HealthPlugin


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        pytest.param(NodeStatus.HEALTHY, "", "", id="4.2 healthy"),
        pytest.param(NodeStatus.UNHEALTHY, "no answer in time", "unhealthy: no answer in time", id="4.2 unhealthy"),
        pytest.param(NodeStatus.PENDING, "", "pending", id="4.2 pending"),
        pytest.param(NodeStatus.PENDING, "refused", "pending: refused", id="4.2 pending, with a reason"),
    ],
)
def test_healthy_nodes_are_kept_and_the_others_say_what_ails_them(status: NodeStatus, error: str, reason: str) -> None:
    cluster = PaperCluster(HealthPlugin)
    cluster.node("n1")
    cluster.node("n2", status=status, error=error)
    assert cluster.fitting() == (["n1"] if reason else ["n1", "n2"])
    assert cluster.reason("n2") == reason
    cluster.node("n2")
    assert cluster.fitting() == ["n1", "n2"]


def test_health_is_never_given_up() -> None:
    cluster = PaperCluster(settings={"plugins": {"health": {}, "constraint": {}}})
    cluster.node("n1", status=NodeStatus.UNHEALTHY)
    with pytest.raises(PlacementError, match=r"^No healthy node available in the cluster"):
        cluster.place(Env=["constraint:node==~n1"])


def test_without_a_healthy_node_the_error_says_so() -> None:
    cluster = PaperCluster(HealthPlugin)
    cluster.node("n1", status=NodeStatus.UNHEALTHY, error="connection refused")
    with pytest.raises(PlacementError) as caught:
        cluster.place()
    assert str(caught.value) == "No healthy node available in the cluster\n  n1: health: unhealthy: connection refused"


def test_without_any_node_the_error_says_so() -> None:
    with pytest.raises(PlacementError) as caught:
        PaperCluster(HealthPlugin).place()
    assert str(caught.value) == "No nodes available in the cluster"
    assert caught.value.status == 500
