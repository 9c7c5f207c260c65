"""Where a container may go that needs others, and what is said of the other nodes."""

from __future__ import annotations

from typing import Any

import pytest

from skep import Network, PlacementError
from skep.testing import PaperCluster
from skep_dependency import DependencyPlugin

SWARM_ID = "com.docker.swarm.id"


@pytest.fixture
def cluster() -> PaperCluster:
    paper = PaperCluster(DependencyPlugin)
    for name in ("n1", "n2", "n3"):
        paper.node(name)
    paper.container("redis", "n1", id="ab" * 32, labels={SWARM_ID: "5e" * 32})
    paper.container("data", "n2", id="cd" * 32)
    paper.container("abab", "n3", id="ef" * 32)  # a name that is the beginning of an id
    paper.container("cdcdcdcdcdcd", "n3", id="12" * 32)
    paper.container("d1", "n3", id="da1" + "0" * 61)
    paper.container("d2", "n3", id="da2" + "0" * 61)
    paper.container("d3", "n1", id="da3" + "0" * 61)
    paper.container("twin", "n1", id="7a" * 32)
    paper.container("twin", "n3", id="7b" * 32)
    paper.state.put_networks(
        "n1", [Network("net1", "front"), Network("net2", "both"), Network("o1", "over", "overlay", "swarm")]
    )
    paper.state.put_networks("n2", [Network("net3", "both")])
    return paper


ALL = ["n1", "n2", "n3"]


@pytest.mark.parametrize(
    ("reference", "kept"),
    [
        ("redis", ["n1"]),
        ("/redis", ["n1"]),
        ("n1/redis", ["n1"]),
        ("n2/redis", []),
        ("ab" * 32, ["n1"]),
        ("ab" * 6, ["n1"]),
        ("ababa", ["n1"]),
        ("abab", ["n3"]),  # a name goes before the beginning of an id
        ("5e" * 32, ["n1"]),
        ("5e5e", ["n1"]),
        ("nobody", []),
        ("redi", []),
        ("ID-n1/redis", ["n1"]),
        ("ID-n2/redis", []),
        ("cdcdcdcdcdcd", ["n2"]),  # the short id of one goes before the name of another
        ("cd" * 32, ["n2"]),
        ("cdcdc", ["n2"]),
        ("da", ["n1"]),  # the beginning of two ids on n3, and of one on n1
        ("twin", ["n1", "n3"]),  # of one name on two nodes
        ("/", []),
        ("n1/", []),
    ],
    ids=lambda value: f"4.4 and 7.6 {value[:16]}" if isinstance(value, str) else None,
)
@pytest.mark.parametrize("option", ["Links", "VolumesFrom", "NetworkMode", "PidMode", "IpcMode"])
def test_it_keeps_the_node_of_the_container(
    cluster: PaperCluster, option: str, reference: str, kept: list[str]
) -> None:
    suffix = {"Links": ":alias", "VolumesFrom": ":ro"}.get(option, "")
    value: Any = [reference + suffix] if suffix else f"container:{reference}"
    assert cluster.fitting(HostConfig={option: value}) == kept


@pytest.mark.parametrize(
    ("mode", "kept"),
    [
        *((mode, ALL) for mode in ("", "default", "bridge", "host", "none", "unknown", "over")),
        ("front", ["n1"]),
        ("net1", ["n1"]),
        ("both", ["n1", "n2"]),
        ("n2/both", ["n2"]),
        ("n1/bridge", ["n1"]),
        ("nowhere/both", ALL),
    ],
    ids=lambda value: f"2.4 {value or 'none'}" if isinstance(value, str) else None,
)
def test_it_keeps_the_nodes_of_a_network(cluster: PaperCluster, mode: str, kept: list[str]) -> None:
    assert cluster.fitting(HostConfig={"NetworkMode": mode}) == kept
    if mode:
        assert cluster.fitting(NetworkingConfig={"EndpointsConfig": {mode: {}}}) == kept


def test_without_a_dependency_all_nodes_are_kept(cluster: PaperCluster) -> None:
    bodies: list[dict[str, Any]] = [{}, {"HostConfig": None}, {"HostConfig": {"Links": None, "VolumesFrom": []}}]
    for body in bodies:
        assert cluster.fitting(**body) == ALL


def test_all_dependencies_must_be_there(cluster: PaperCluster) -> None:
    cluster.container("other", "n1")
    assert cluster.fitting(HostConfig={"Links": ["redis"], "VolumesFrom": ["other"]}) == ["n1"]
    assert cluster.fitting(HostConfig={"Links": ["redis"], "VolumesFrom": ["data"]}) == []


def test_wishes_do_not_soften_a_dependency(cluster: PaperCluster) -> None:
    with pytest.raises(PlacementError):
        cluster.place(Env=["constraint:node==~n1"], HostConfig={"Links": ["nobody"]})


@pytest.mark.parametrize(
    ("node", "host", "reason"),
    [
        ("n2", {"Links": ["redis:db"]}, "--link=redis:db: that container is on n1"),
        ("n1", {"VolumesFrom": ["data:ro"]}, "--volumes-from=data:ro: that container is on n2"),
        ("n1", {"NetworkMode": "container:gone"}, "--net=container:gone: there is no such container"),
        ("n1", {"PidMode": "container:data"}, "--pid=container:data: that container is on n2"),
        ("n3", {"NetworkMode": "both"}, "--net=both: that network is on n1 and 1 more"),
    ],
)
def test_the_reason_says_where_it_is(cluster: PaperCluster, node: str, host: dict[str, Any], reason: str) -> None:
    assert cluster.reason(node, HostConfig=host) == reason
