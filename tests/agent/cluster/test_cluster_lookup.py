"""What a reference names in a cluster, as tables."""

from __future__ import annotations

import pytest

from skep.cluster import ClusterState
from skep.errors import ConflictError, NotFoundError
from skep.models import Container, Image, Network, Node, NodeStatus, Volume

A, B, C, D = "aaaa" + "0" * 60, "aaab" + "0" * 60, "cccc" + "0" * 60, "dddd" + "0" * 60
SWARM = "eeee" + "0" * 60


@pytest.fixture
def state() -> ClusterState:
    state = ClusterState()
    state.put_node(Node("n1", "tcp://1:2375", id="ID1", status=NodeStatus.UNHEALTHY))
    state.put_node(Node("n2", "tcp://2:2375", id="ID2", status=NodeStatus.HEALTHY))
    state.put_container(Container(A, "web", "n1"))
    state.put_container(Container(B, "db", "n1", labels={"com.docker.swarm.id": SWARM}))
    state.put_container(Container(C, "both", "n1"))
    state.put_container(Container(D, "both", "n2"))
    state.put_container(Container("f" * 64, "aaa", "n2"))
    state.reserve(Container("", "coming", ""), "n2", "key")
    state.reserve(Container("", "web", ""), "n2", "key2")
    busybox = Image("sha256:" + "1" * 64, ("busybox:latest", "busybox:1"), ("busybox@sha256:" + "9" * 64,))
    state.put_images("n1", [busybox])
    state.put_images("n2", [Image("sha256:" + "2" * 64, ("busybox:2", "host:5000/app:3")), busybox])
    state.put_networks("n1", [Network("a1" * 32, "bridge"), Network("77" * 32, "wide", "overlay", "swarm")])
    state.put_networks("n2", [Network("a2" * 32, "bridge"), Network("77" * 32, "wide", "overlay", "swarm")])
    state.put_volumes("n1", [Volume("data"), Volume("mine"), Volume("far", "nfs")])
    state.put_volumes("n2", [Volume("data"), Volume("far", "nfs")])
    return state


@pytest.mark.parametrize("label", ["web", "web-of-twelve", A, A[:12]])
def test_a_label_takes_nobodys_name_or_id(state: ClusterState, label: str) -> None:
    state.put_container(Container("9" * 64, "web-of-twelv", "n2"))
    state.put_container(Container("5" * 64, "thief", "n2", labels={"com.docker.swarm.id": label}))
    for reference, name in (("web", "web"), ("web-of-twelv", "web-of-twelv"), (A, "web"), (A[:12], "web")):
        assert state.find_container(reference).name == name


def test_a_label_ends_nobody_elses_reservation(state: ClusterState) -> None:
    swarm = {"com.docker.swarm.id": "ab" * 32}
    state.reserve(Container("", "waiting", "", labels=swarm), "n2", "placement:" + "ab" * 32)
    state.put_container(Container("5" * 64, "thief", "n2", labels=swarm))
    assert len(state.named("waiting")) == 1
    state.put_container(Container("6" * 64, "waiting", "n2", labels=swarm))
    assert [each.id for each in state.named("waiting")] == ["6" * 64]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (A, A),
        (A[:12], A),
        ("web", A),
        ("/web", A),
        ("n1/web", A),
        ("ID1/web", A),
        ("db", B),
        (SWARM, B),
        (SWARM[:12], B),
        ("eee", B),
        ("aaab", B),
        ("aaa", "f" * 64),  # a name wins over the beginning of an id
        ("ID2/both", D),
        ("n1/both", C),
        ("c", C),
    ],
)
def test_containers(state: ClusterState, reference: str, expected: str) -> None:
    assert state.find_container(reference).id == expected


@pytest.mark.parametrize(
    "reference", ["", "/", "n1/", "web2", "n2/web", "n1//web", "b", A + "0", "coming", "key", "WEB"]
)
def test_containers_that_are_not_there(state: ClusterState, reference: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        state.find_container(reference)
    assert str(caught.value) == f"No such container: {reference}"


@pytest.mark.parametrize(
    ("reference", "candidates"),
    [("both", "n1/both (cccc00000000), n2/both (dddd00000000)"), ("aa", "n1/db (aaab00000000), n1/web (aaaa00000000)")],
)
def test_what_is_ambiguous_is_not_guessed(state: ClusterState, reference: str, candidates: str) -> None:
    with pytest.raises(ConflictError) as caught:
        state.find_container(reference)
    assert candidates in str(caught.value)


def test_one_container_known_by_two_engines_is_ambiguous_by_id_and_found_by_node(state: ClusterState) -> None:
    state.put_container(Container(A, "web", "n2"))
    with pytest.raises(ConflictError, match=r"n1/web .*n2/web"):
        state.find_container(A)
    assert state.find_container("n2/web").node == "n2"
    state.remove_container("n2", A)
    assert state.find_container(A).node == "n1"


@pytest.mark.parametrize(
    ("reference", "nodes", "first"),
    [
        ("busybox", ["n2", "n2", "n1"], "n2"),
        ("busybox:latest", ["n2", "n1"], "n2"),
        ("busybox:2", ["n2"], "n2"),
        ("sha256:111", ["n2", "n1"], "n2"),
        ("1" * 64, ["n2", "n1"], "n2"),
        ("222", ["n2"], "n2"),
        ("busybox@sha256:" + "9" * 64, ["n2", "n1"], "n2"),
        ("host:5000/app", ["n2"], "n2"),
    ],
)
def test_images(state: ClusterState, reference: str, nodes: list[str], first: str) -> None:
    assert [node.name for node, _ in state.find_images(reference)] == nodes
    assert state.find_image(reference)[0].name == first


def test_an_image_without_a_tag_is_the_latest(state: ClusterState) -> None:
    assert "busybox:latest" in state.find_image("busybox")[1].tags


@pytest.mark.parametrize("reference", ["", "bus", "11", "busybox:3", "app", "sha256:", "host:5000"])
def test_images_that_are_not_there(state: ClusterState, reference: str) -> None:
    with pytest.raises(NotFoundError, match=f"No such image: {reference}"):
        state.find_image(reference)


@pytest.mark.parametrize(
    ("reference", "node", "id_"),
    [
        ("wide", "n1", "77" * 32),
        ("n2/wide", "n2", "77" * 32),
        ("n2/bridge", "n2", "a2" * 32),
        ("ID1/bridge", "n1", "a1" * 32),
        ("a1" * 32, "n1", "a1" * 32),
        ("a1" * 6, "n1", "a1" * 32),
        ("a2", "n2", "a2" * 32),
    ],
)
def test_networks(state: ClusterState, reference: str, node: str, id_: str) -> None:
    found, network = state.find_network(reference)
    assert (found.name, network.id) == (node, id_)


def test_networks_that_are_not_one(state: ClusterState) -> None:
    for reference in ("", "none", "n3/bridge"):
        with pytest.raises(NotFoundError, match=f"network {reference} not found"):
            state.find_network(reference)
    for reference in ("bridge", "a"):
        with pytest.raises(ConflictError, match=r"n1/bridge.*n2/bridge"):
            state.find_network(reference)


def test_volumes(state: ClusterState) -> None:
    for reference, node in (("mine", "n1"), ("n2/data", "n2"), ("ID1/data", "n1"), ("far", "n1"), ("n2/far", "n2")):
        assert state.find_volume(reference)[0].name == node
    assert [node.name for node, _ in state.find_volumes("data")] == ["n1", "n2"]
    with pytest.raises(ConflictError, match="n1/data, n2/data"):
        state.find_volume("data")
    with pytest.raises(NotFoundError, match="get n2/mine: no such volume"):
        state.find_volume("n2/mine")
