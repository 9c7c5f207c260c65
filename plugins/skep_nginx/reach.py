"""Where nginx reaches a container: at its own address if they share a host or a network, else where its host publishes the port."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from skep import Container, Node, Port
from skep_nginx.model import Server

__all__ = ["DEFAULT_PORT", "View", "choose_port", "find_server"]

DEFAULT_PORT = 80
_METADATA = frozenset({"100.100.100.200", "168.63.129.16", "fd00:ec2::254"})
"""Where clouds keep secrets of their machines, besides the links' own addresses: Alibaba's, Azure's, and AWS's by IPv6."""
_NOT_FROM_HOST = ("overlay", "macvlan", "ipvlan")


@dataclass(frozen=True, slots=True)
class View:
    """From where nginx reaches containers.

    `node`: the node that it runs on; None is this host, whatever that is called in the cluster. `networks`: ids of the networks that
    its own container is on; None is the host's own network. `gateway`: the address of its host as seen from its container.
    `direct`: whether containers' own addresses are reachable. `host_address`: where other machines reach the ports that the engine
    of this host (a unix socket) publishes; "" is nowhere. `prefer_ipv6`: whether a container's IPv6 address is taken first.
    Ports of hosts that containers in their host's network are not reached at: `closed`, ranges of those of all hosts, and `own`, nginx's own
    on its node.
    """

    node: str | None = None
    networks: frozenset[str] | None = None
    gateway: str = ""
    direct: bool = True
    host_address: str = ""
    prefer_ipv6: bool = False
    closed: tuple[tuple[int, int], ...] = ()
    own: frozenset[int] = frozenset()

    def is_home(self, node: Node) -> bool:
        """Whether nginx runs on that node."""
        return node.ip == "" if self.node is None else node.name == self.node


def choose_port(container: Container, wanted: int | None) -> int:
    """The port in a container: what it says, else the only TCP port that it exposes, else 80."""
    if wanted is not None:
        return wanted
    shown = {port.private for port in container.ports if port.protocol == "tcp"}
    exposed = shown or {port.private for port in container.exposed if port.protocol == "tcp"}
    return exposed.pop() if len(exposed) == 1 else DEFAULT_PORT


def find_server(view: View, container: Container, node: Node, port: int, drivers: dict[str, str]) -> Server:
    """Where nginx reaches `port` of a container on `node`. `drivers` are the node's networks: id to driver.

    Raises ValueError saying why it does not, and what would help.
    """
    if container.network_mode == "host":
        _check_open(view, node, port)
        return Server(_host(view, node), port)
    for ip in _own_addresses(view, container, node, drivers):
        return Server(ip, port)
    published = [p for p in container.ports if p.private == port and p.protocol == "tcp" and p.public]
    for ip, public in _published(view, node, sorted(published, key=_preference)):
        return Server(ip, public)
    if published:
        raise ValueError(
            f"port {port} is published on {node.name} only at {', '.join(sorted({p.ip for p in published}))[:200]!a}, where nginx does not "
            f"go: publish it at all addresses, -p {port}"
        )
    raise ValueError(
        f"nginx shares no network with it and port {port} is not published on {node.name}: "
        f"publish it (-p {port}), or name another one by VIRTUAL_PORT"
    )


def _check_open(view: View, node: Node, port: int) -> None:
    """Whether a container in its host's network may have this port; it can name any, whosever that is."""
    if view.is_home(node) and port in view.own:
        raise ValueError(
            f"it is in the network of its host, where port {port} is nginx's own: it listens on another, VIRTUAL_PORT names it"
        )
    if any(first <= port <= last for first, last in view.closed):
        raise ValueError(
            f"it is in the network of its host, whose port {port} is the agent's, an engine's, or one of closed_ports: no container is "
            "reached there"
        )


def _host(view: View, node: Node) -> str:
    """The address of a node, seen from nginx."""
    if view.is_home(node):
        address = "127.0.0.1" if view.networks is None else (node.ip or view.host_address or view.gateway)
    else:
        address = node.ip or view.host_address
    if not address:
        raise ValueError(
            f"it is on this host, {node.name}, whose address is not known: set host_address of plugin nginx"
        )
    return str(ipaddress.ip_address(address))


def _own_addresses(view: View, container: Container, node: Node, drivers: dict[str, str]) -> Iterator[str]:
    for end in sorted(container.networks, key=lambda end: end.network):
        if end.network in ("ingress", "host", "none") or not view.direct:
            continue
        if view.networks is None:
            near = view.is_home(node) and drivers.get(end.network_id, "bridge") not in _NOT_FROM_HOST
        else:
            near = end.network_id in view.networks
        if near:
            both = (end.ipv6, end.ip) if view.prefer_ipv6 else (end.ip, end.ipv6)
            yield from filter(None, map(_unicast, both))


def _unicast(text: str) -> str:
    """An address that a container can have: nothing of the host itself, nor the links' own (where clouds keep their secrets)."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if str(ip) in _METADATA:
        return ""
    if "%" in text:  # a zone, which may be any text, and means something on that host alone
        return ""
    return (
        "" if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved else str(ip)
    )


def _preference(port: Port) -> tuple[bool, str, int]:
    return ":" in port.ip, port.ip, port.public or 0


def _published(view: View, node: Node, ports: Iterable[Port]) -> Iterator[tuple[str, int]]:
    for port in ports:
        bound = ipaddress.ip_address(port.ip or "0.0.0.0")
        near = view.is_home(node) and view.networks is None
        if bound.is_unspecified:
            yield _host(view, node), port.public or 0
        elif _unicast(port.ip) or (near and bound.is_loopback and "%" not in port.ip):
            yield str(bound), port.public or 0
