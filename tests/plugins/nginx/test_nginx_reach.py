"""Which port, and at which address."""

import pytest

from skep import Container, Endpoint, Node, NodeStatus, Port
from skep_nginx.reach import View, choose_port, find_server

HOME = Node("home", "unix:///var/run/docker.sock", status=NodeStatus.HEALTHY)
FAR = Node("far", "tcp://10.0.0.2:2375", ip="10.0.0.2", status=NodeStatus.HEALTHY)
BRIDGE = Endpoint("bridge", "net1", ip="172.17.0.2", gateway="172.17.0.1")
HOST, PUBLISHED = View(), (Port(80, "tcp", 32768, "0.0.0.0"), Port(80, "tcp", 32768, "::"))


def container(
    *ports: Port, networks: tuple[Endpoint, ...] = (), mode: str = "", exposed: tuple[Port, ...] = ()
) -> Container:
    return Container("1", "web", "home", ports=ports, networks=networks, network_mode=mode, exposed=exposed)


@pytest.mark.parametrize(
    ("ports", "exposed", "wanted", "port"),
    [
        ((Port(8080),), (), None, 8080),
        ((Port(8080),), (), 90, 90),
        ((Port(8080), Port(9090)), (), None, 80),
        ((Port(53, "udp"), Port(8080)), (), None, 8080),
        ((Port(53, "udp"),), (), None, 80),
        ((), (Port(5000),), None, 5000),
        ((), (), None, 80),
    ],
)
def test_the_port(ports: tuple[Port, ...], exposed: tuple[Port, ...], wanted: int | None, port: int) -> None:
    assert choose_port(container(*ports, exposed=exposed), wanted) == port


@pytest.mark.parametrize(
    ("view", "node", "what", "server"),
    [
        (HOST, HOME, container(networks=(BRIDGE,)), "172.17.0.2:80"),
        (HOST, HOME, container(*PUBLISHED, networks=(BRIDGE,)), "172.17.0.2:80"),
        (View(direct=False), HOME, container(*PUBLISHED, networks=(BRIDGE,)), "127.0.0.1:32768"),
        (HOST, HOME, container(Port(80, "tcp", 8080, "127.0.0.1")), "127.0.0.1:8080"),
        (HOST, HOME, container(mode="host"), "127.0.0.1:80"),
        (HOST, HOME, container(networks=(Endpoint("v6", "net1", ipv6="fd00::2"),)), "[fd00::2]:80"),
        (HOST, HOME, container(networks=(Endpoint("z", "n", ip="10.9.0.2"), Endpoint("a", "m", ip="10.8.0.2"))), "10.8.0.2:80"),
        (HOST, FAR, container(*PUBLISHED, networks=(BRIDGE,)), "10.0.0.2:32768"),
        (HOST, FAR, container(Port(80, "tcp", 81, "10.0.0.9")), "10.0.0.9:81"),
        (HOST, FAR, container(mode="host"), "10.0.0.2:80"),
        # nginx in a container on `far`
        (View("far", frozenset({"net1"}), "172.17.0.1"), FAR, container(networks=(BRIDGE,)), "172.17.0.2:80"),
        (View("far", frozenset({"net2"}), "172.17.0.1"), FAR, container(*PUBLISHED, networks=(BRIDGE,)), "10.0.0.2:32768"),
        (View("far", None), FAR, container(networks=(BRIDGE,)), "172.17.0.2:80"),
        (View("home", frozenset({"net2"}), "172.18.0.1"), HOME, container(*PUBLISHED), "172.18.0.1:32768"),
        (View("home", frozenset({"net2"}), "172.18.0.1"), HOME, container(mode="host"), "172.18.0.1:80"),
        (View("far", frozenset(), host_address="10.0.0.1"), HOME, container(*PUBLISHED), "10.0.0.1:32768"),
    ],
)  # fmt: skip
def test_the_address(view: View, node: Node, what: Container, server: str) -> None:
    assert str(find_server(view, what, node, 80, {})) == server


@pytest.mark.parametrize(
    ("view", "node", "what", "reason"),
    [
        (HOST, FAR, container(networks=(BRIDGE,)), "port 80 is not published on far: publish it"),
        (HOST, FAR, container(Port(80, "udp", 80), networks=(BRIDGE,)), "port 80 is not published"),
        (HOST, FAR, container(Port(81, "tcp", 80), networks=(BRIDGE,)), "port 80 is not published"),
        (HOST, FAR, container(Port(80, "tcp", 80, "127.0.0.1")), "only at '127.0.0.1'"),
        (HOST, HOME, container(), "shares no network"),
        (View("far", frozenset({"n"})), HOME, container(*PUBLISHED), "set host_address"),
        # addresses of the clouds' secrets, of the host itself, of nobody
        (HOST, HOME, container(networks=(Endpoint("x", "n", ip="169.254.169.254"),)), "shares no network"),
        (HOST, HOME, container(networks=(Endpoint("x", "n", ip="127.0.0.1"),)), "shares no network"),
        (HOST, HOME, container(networks=(Endpoint("x", "n", ip="0.0.0.0", ipv6="fe80::1"),)), "shares no network"),
        (HOST, HOME, container(networks=(Endpoint("x", "n", ip="unix:/var/run/docker.sock"),)), "shares no network"),
        (HOST, FAR, container(Port(80, "tcp", 80, "169.254.169.254")), "only at '169.254.169.254'"),
        (HOST, FAR, container(Port(80, "tcp", 80, "::ffff:127.0.0.1")), "only at"),
        (HOST, HOME, container(Port(80, "tcp", 80, "::1%lo;")), "only at"),
        (HOST, FAR, container(Port(80, "tcp", 80, "2001:db8::1%x;\n$y")), r"only at '2001:db8::1%x;\\n\$y'"),
        (HOST, HOME, container(networks=(Endpoint("x", "n", ipv6="2001:db8::1%x\n$y"),)), "shares no network"),
        (HOST, HOME, container(networks=(Endpoint("x", "macvlan1", ip="10.7.0.2"),)), "shares no network"),
        (HOST, HOME, container(networks=(Endpoint("ingress", "n", ip="10.7.0.2"),)), "shares no network"),
    ],
)  # fmt: skip
def test_no_address(view: View, node: Node, what: Container, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        find_server(view, what, node, 80, {"macvlan1": "macvlan"})


def test_addresses_that_an_engine_makes_up_are_refused() -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        find_server(HOST, container(Port(80, "tcp", 80, "x; return 200")), FAR, 80, {})


@pytest.mark.parametrize(
    "ip",
    ["169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "::ffff:169.254.169.254", "127.0.0.1"],
)
def test_no_container_has_the_address_of_a_clouds_secrets(ip: str) -> None:
    end = Endpoint("n", "n1", ip="" if ":" in ip else ip, ipv6=ip if ":" in ip else "")
    for what in (container(networks=(end,)), container(Port(80, "tcp", 80, ip))):
        with pytest.raises(ValueError, match="publish"):
            find_server(View(node="home", networks=frozenset({"n1"})), what, FAR, 80, {})
