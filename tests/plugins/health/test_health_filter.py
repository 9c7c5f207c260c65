"""Containers go to nodes that answer."""

from __future__ import annotations

import pytest

from skep import NodeStatus, PlacementError
from skep.testing import PaperCluster
from skep_health import HealthPlugin


def test_healthy_nodes_are_kept_and_the_others_say_what_ails_them() -> None:
    cluster = PaperCluster(HealthPlugin)
    cluster.node("n1")
    cluster.node("n2", status=NodeStatus.UNHEALTHY, error="no answer in time")
    cluster.node("n3", status=NodeStatus.PENDING)
    assert cluster.fitting() == ["n1"]
    assert cluster.reason("n2") == "unhealthy: no answer in time"
    assert cluster.reason("n3") == "pending"
    cluster.node("n2")
    assert cluster.fitting() == ["n1", "n2"]


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
