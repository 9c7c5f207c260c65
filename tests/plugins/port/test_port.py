"""Which ports of a host are free for whom."""

from __future__ import annotations

import time
from typing import Any

import pytest

from skep import ContainerState, Port, RequestError
from skep.testing import PaperCluster
from skep_port import PortPlugin

EXITED = ContainerState.EXITED


@pytest.fixture
def cluster() -> PaperCluster:
    paper = PaperCluster(PortPlugin)
    paper.node("n1")
    paper.node("n2")
    return paper


def bound(*entries: str) -> dict[str, Any]:
    """`[ip:]port:private[/protocol]` as docker's command line has it."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for entry in entries:
        host, _, private = entry.rpartition(":")
        ip, _, public = host.rpartition(":")
        key = private if "/" in private else f"{private}/tcp"
        bindings.setdefault(key, []).append({"HostIp": ip.strip("[]"), "HostPort": public})
    return {"HostConfig": {"PortBindings": bindings}}


FREE = ["n1", "n2"]
TAKEN = ["n2"]


@pytest.mark.parametrize(
    ("holds", "wanted", "kept"),
    [
        (Port(80, "tcp", 80), "80:80", TAKEN),
        (Port(80, "tcp", 80), "80:8080", TAKEN),
        (Port(80, "tcp", 80), "81:80", FREE),
        (Port(80, "tcp", 80), "80:80/udp", FREE),
        (Port(80, "udp", 80), "80:80/UDP", TAKEN),
        (Port(80, "tcp", 80), ":80", FREE),
        (Port(80, "tcp", None), "80:80", FREE),
        (Port(80, "tcp", 80, "0.0.0.0"), "80:80", TAKEN),
        (Port(80, "tcp", 80, "::"), "80:80", TAKEN),
        (Port(80, "tcp", 80, "10.0.0.1"), "80:80", TAKEN),
        (Port(80, "tcp", 80), "10.0.0.1:80:80", TAKEN),
        (Port(80, "tcp", 80, "0.0.0.0"), "10.0.0.1:80:80", TAKEN),
        (Port(80, "tcp", 80, "10.0.0.1"), "0.0.0.0:80:80", TAKEN),
        (Port(80, "tcp", 80, "10.0.0.1"), "10.0.0.1:80:80", TAKEN),
        (Port(80, "tcp", 80, "10.0.0.1"), "10.0.0.2:80:80", FREE),
        (Port(80, "tcp", 80, "::1"), "[0:0:0:0:0:0:0:1]:80:80", TAKEN),
        (Port(80, "tcp", 80, "127.0.0.1"), "[::ffff:127.0.0.1]:80:80", TAKEN),
        (Port(80, "tcp", 80, "::ffff:0.0.0.0"), "127.0.0.1:80:80", TAKEN),
        (Port(80, "tcp", 8005), "8000-8010:80", FREE),
        (Port(80, "tcp", 8000), "8000-8000:80", TAKEN),
    ],
    ids=lambda value: f"4.3 held {value.ip}:{value.public}/{value.protocol}" if isinstance(value, Port) else None,
)
@pytest.mark.parametrize("state", ["running", "exited"])
def test_one_container_against_a_request(
    cluster: PaperCluster, state: str, holds: Port, wanted: str, kept: list[str]
) -> None:
    if state == "running":
        cluster.container("web", "n1", bindings=(Port(80, "tcp", None),), ports=(holds,))
    else:
        cluster.container("web", "n1", bindings=(holds,), state=EXITED)
    assert cluster.fitting(**bound(wanted)) == kept


@pytest.mark.parametrize(
    ("holds", "wanted", "kept"),
    [
        pytest.param(Port(53, "tcp", 53), bound("53:53/udp"), TAKEN, id="4.3 as in Swarm: another protocol"),
        pytest.param(Port(53, "tcp", 53, "10.0.0.1"), bound("10.0.0.2:53:53/udp"), FREE, id="4.3 another address"),
        pytest.param(
            Port(53),
            {"ExposedPorts": {"53/udp": {}}, "HostConfig": {"NetworkMode": "host"}},
            FREE,
            id="4.3 on the host's network protocols are compared",
        ),
    ],
)
def test_protocols_need_not_be_compared(holds: Port, wanted: dict[str, Any], kept: list[str]) -> None:
    cluster = PaperCluster(settings={"plugins": {"port": {"compare_protocols": False}}})
    cluster.node("n1")
    cluster.node("n2")
    if holds.public:
        web = cluster.container("web", "n1", ports=(holds,))
    else:
        web = cluster.container("web", "n1", network_mode="host", exposed=(holds,))
    assert cluster.fitting(**wanted) == kept
    if kept == TAKEN:
        assert cluster.reason("n1", **wanted) == f"port 53/udp: taken by web ({web.short_id})"


def test_a_range_that_goes_down_is_refused(cluster: PaperCluster) -> None:
    with pytest.raises(
        RequestError, match="invalid range of ports 8010-8000 for 80/tcp: expected the lower one first"
    ) as e:
        cluster.place(**bound("8010-8000:80"))
    assert e.value.status == 400


def test_of_a_range_one_free_port_is_enough(cluster: PaperCluster) -> None:
    for number in range(8000, 8003):
        cluster.container(f"web{number}", "n1", ports=(Port(80, "tcp", number),))
    assert cluster.fitting(**bound("8000-8003:80")) == FREE
    assert cluster.fitting(**bound("8000-8002:80")) == TAKEN
    assert cluster.reason("n1", **bound("8000-8002:80")).startswith("port 8000-8002/tcp: taken by web8000 (")


def test_a_range_that_is_not_up_yet_claims_all_of_it(cluster: PaperCluster) -> None:
    request = cluster.agent.request(b'{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"8000-8001"}]}}}', "web")
    with cluster.agent.scheduler.reserve(request):
        assert cluster.fitting(**bound("8001:80")) == TAKEN
    cluster.container(
        "web", "n1", bindings=(Port(80, "tcp", 8000), Port(80, "tcp", 8001)), ports=(Port(80, "tcp", 8000),)
    )
    assert cluster.fitting(**bound("8001:80")) == FREE


def test_every_wanted_port_must_be_free(cluster: PaperCluster) -> None:
    cluster.container("web", "n1", ports=(Port(443, "tcp", 443),))
    assert cluster.fitting(**bound("80:80", "443:443")) == TAKEN
    assert cluster.fitting(**bound("80:80", "81:80")) == FREE


def test_a_running_container_holds_what_its_engine_chose(cluster: PaperCluster) -> None:
    cluster.container("web", "n1", bindings=(Port(80, "tcp", None),), ports=(Port(80, "tcp", 49153),))
    assert cluster.fitting(**bound("49153:80")) == TAKEN


def test_a_stopped_container_has_given_back_what_its_engine_chose(cluster: PaperCluster) -> None:
    cluster.container("web", "n1", bindings=(Port(80),), ports=(Port(80, "tcp", 49153),), state=EXITED)
    assert cluster.fitting(**bound("49153:80")) == FREE


@pytest.mark.parametrize("state", [s for s in ContainerState if s is not ContainerState.PENDING])
def test_ports_stay_taken_until_the_container_is_removed(cluster: PaperCluster, state: ContainerState) -> None:
    web = cluster.container("web", "n1", bindings=(Port(80, "tcp", 80),), state=state)
    assert cluster.fitting(**bound("80:80")) == TAKEN
    cluster.state.remove_container("n1", web.id)
    assert cluster.fitting(**bound("80:80")) == FREE


def test_containers_under_way_hold_their_ports(cluster: PaperCluster) -> None:
    request = cluster.agent.request(b'{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"80"}]}}}', "web")
    with cluster.agent.scheduler.reserve(request):
        assert cluster.reason("n1", **bound("80:80")) == "port 80/tcp: taken by web (under way)"
        assert cluster.fitting(**bound("80:80")) == TAKEN
    assert cluster.fitting(**bound("80:80")) == FREE


@pytest.mark.parametrize(
    ("mode", "exposed", "kept"),
    [
        pytest.param("host", "80/tcp", TAKEN, id="4.3 host and host, the same port"),
        pytest.param("host", "80/udp", FREE, id="4.3 host and host, another protocol"),
        pytest.param("host", "81/tcp", FREE, id="4.3 host and host, another port"),
        pytest.param("host", "79-81/tcp", TAKEN, id="4.3 host and host, a range"),
        pytest.param("bridge", "80/tcp", FREE, id="4.3 host and bridge"),
    ],
)
def test_on_the_hosts_network_exposed_ports_are_compared(
    cluster: PaperCluster, mode: str, exposed: str, kept: list[str]
) -> None:
    cluster.container("web", "n1", network_mode="host", exposed=(Port(80),))
    assert cluster.fitting(ExposedPorts={exposed: {}}, HostConfig={"NetworkMode": mode}) == kept


@pytest.mark.parametrize(("exposed", "kept"), [("80/tcp", TAKEN), ("80/udp", FREE)])
def test_there_protocols_are_compared_as_in_the_original_even_where_published_ones_are_not(
    exposed: str, kept: list[str]
) -> None:
    cluster = PaperCluster(settings={"plugins": {"port": {"compare_protocols": False}}})
    cluster.node("n1")
    cluster.node("n2")
    cluster.container("web", "n1", network_mode="host", exposed=(Port(80),))
    assert cluster.fitting(ExposedPorts={exposed: {}}, HostConfig={"NetworkMode": "host"}) == kept


def test_published_and_host_network_ports_are_not_compared(cluster: PaperCluster) -> None:
    cluster.container("web", "n1", network_mode="host", exposed=(Port(80),), bindings=(Port(80, "tcp", 80),))
    assert cluster.fitting(**bound("80:80")) == FREE
    cluster.container("other", "n2", ports=(Port(81, "tcp", 81),))
    assert cluster.fitting(ExposedPorts={"81/tcp": {}}, HostConfig={"NetworkMode": "host"}) == FREE


def test_without_published_ports_all_nodes_are_kept(cluster: PaperCluster) -> None:
    cluster.container("web", "n1", ports=(Port(80, "tcp", 80),))
    assert cluster.fitting(ExposedPorts={"80/tcp": {}}) == FREE
    assert cluster.fitting(HostConfig={"PublishAllPorts": True}) == FREE


def test_the_reason_names_port_and_holder(cluster: PaperCluster) -> None:
    web = cluster.container("web", "n1", ports=(Port(80, "tcp", 80),))
    reason = cluster.reason("n1", **bound("10.0.0.1:80:80"))
    assert reason == f"port 10.0.0.1:80/tcp: taken by web ({web.short_id})"


def test_as_many_ports_as_there_are_take_no_time(cluster: PaperCluster) -> None:
    """65,535 single bindings against nodes that hold some of them: what a hostile request may ask for."""
    for number in range(1, 31):
        cluster.container(f"web{number}", "n1", ports=(Port(80, "tcp", 60_000 + number),))
    body = bound(*(f"{number}:80" for number in range(1, 65_536)))
    began = time.perf_counter()
    assert cluster.fitting(**body) == TAKEN
    assert time.perf_counter() - began < 5
