"""The rows of `docker ps`, from what is known: no engine is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from skep import ClusterState, Container, Endpoint, Mount, Node, Port
from skep_docker_api.lookups import links_of
from skep_docker_api.status import status_text

__all__ = ["ROWS_AT_ONCE", "Aliases", "Rows", "aliases", "endpoint", "host_ip", "mount"]

Aliases = Mapping[tuple[str, str], list[str]]
"""A node's and a container's name to the names by which others link to it, `user/alias`."""

_EVERYWHERE = frozenset(("", "0.0.0.0", "::"))
_HOST_DOWN = b"Host Down"

ROWS_AT_ONCE = 250
"""Rows that are rendered in one step of the event loop: a few milliseconds."""

_MOST_KEPT = 72 * 2**20
"""Bytes of rows that are kept: about 30,000 rows. Those beyond are rendered each time (20 µs each)."""
_FEW = 100
"""Rows of containers that are gone, which may be kept whatever the cluster's size."""
_NONE: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Kept:
    """The text of a row, and what it was made from."""

    container: Container
    ip: str
    linked: Sequence[str]
    with_nodes: bool
    text: bytes


class Rows:
    """Renders rows, and keeps the parts of each that stay as long as its container does: thousands are listed often."""

    def __init__(self, most: int = _MOST_KEPT) -> None:
        self._kept: dict[str, _Kept] = {}
        self._room = self._most = most
        self._aliases: tuple[int, Aliases] = (-1, {})

    def render(
        self,
        state: ClusterState,
        containers: Iterable[Container],
        now: float,
        *,
        with_nodes: bool,
        sizes: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """The JSON list of these containers. `now`: seconds since the epoch. `sizes`: more fields of a row, by container id."""
        return b"".join(self.parts(state, containers, now, with_nodes=with_nodes, sizes=sizes))

    def parts(
        self,
        state: ClusterState,
        containers: Iterable[Container],
        now: float,
        *,
        with_nodes: bool,
        sizes: Mapping[str, bytes] | None = None,
    ) -> Iterator[bytes]:
        """As `render`, in parts of `ROWS_AT_ONCE` rows: others may run between two of them."""
        known = self._known_aliases(state)
        nodes = {each.name: each.node for each in state.nodes}
        rest, start = iter(containers), b"["
        while chunk := list(islice(rest, ROWS_AT_ONCE)):
            pieces: list[bytes] = []
            for container in chunk:
                node = nodes[container.node]
                linked = known.get((container.node, container.name), _NONE) if known else _NONE
                fixed = self._fixed(container, node, linked, with_nodes=with_nodes)
                status = status_text(container, now + node.clock_skew).encode() if node.is_healthy else _HOST_DOWN
                more = sizes.get(container.id, b"") if sizes else b""
                pieces += start, fixed, more, b'"Status":"', status, b'"}'
                start = b","
            yield b"".join(pieces)
        if self._room <= 0 or len(self._kept) > _FEW + 2 * sum(len(each.containers) for each in state.nodes):
            self._forget(state)
        yield b"[]" if start == b"[" else b"]"

    def _known_aliases(self, state: ClusterState) -> Aliases:
        if self._aliases[0] != state.version:
            self._aliases = state.version, aliases(state)
        return self._aliases[1]

    def _fixed(self, container: Container, node: Node, linked: Sequence[str], *, with_nodes: bool) -> bytes:
        """A row's beginning: all but what changes with time."""
        kept = self._kept.get(container.id)
        if kept is not None:
            if (
                kept.container is container
                and kept.ip == node.ip
                and kept.linked == linked
                and kept.with_nodes is with_nodes
            ):
                return kept.text
            self._room += len(kept.text)
            del self._kept[container.id]
        text = (
            msgspec.json.encode({**_row(container, node), "Names": _names(container, linked, with_nodes)})[:-1] + b","
        )
        if self._room > 0:
            self._kept[container.id] = _Kept(container, node.ip, linked, with_nodes, text)
            self._room -= len(text)
        return text

    def _forget(self, state: ClusterState) -> None:
        """Make room: rows of what is not there any more are not kept."""
        there = {id(each) for each in state.containers()}
        self._kept = {id_: kept for id_, kept in self._kept.items() if id(kept.container) in there}
        self._room = self._most - sum(len(kept.text) for kept in self._kept.values())


def aliases(state: ClusterState) -> Aliases:
    """All containers' names by link."""
    found: dict[tuple[str, str], list[str]] = {}
    for container in state.containers():
        if container.links and container.id:
            for target, alias in links_of(container):
                found.setdefault((container.node, target), []).append(f"{container.name}/{alias}")
    return found


def _names(container: Container, linked: Sequence[str], with_nodes: bool) -> list[str]:
    start = f"/{container.node}/" if with_nodes else "/"
    return [start + container.name, *(start + name for name in linked)]


def _row(container: Container, node: Node) -> dict[str, Any]:
    return {
        "Id": container.id,
        "Image": container.image,
        "ImageID": container.image_id,
        "Command": container.command,
        "Created": int(container.created),
        "Ports": ports(container, node),
        "Labels": container.labels,
        "State": container.state,
        "HostConfig": {"NetworkMode": container.network_mode or "default"},
        "NetworkSettings": {"Networks": {end.network: endpoint(end) for end in container.networks}},
        "Mounts": [mount(each) for each in container.mounts],
    }


def host_ip(ip: str, node: Node) -> str:
    """The host's side of a published port: every address of the node is the one where others reach it."""
    return node.ip if node.ip and ip in _EVERYWHERE else ip


def ports(container: Container, node: Node) -> list[dict[str, Any]]:
    """`Ports` of a row."""
    return list(_ports(container.ports, lambda ip: host_ip(ip, node)).values())


def _ports(found: Iterable[Port], reached: Callable[[str], str]) -> dict[Port, dict[str, Any]]:
    # by the port as it is shown: 0.0.0.0 and :: become one
    shown: dict[Port, dict[str, Any]] = {}
    for port in found:
        if port.public is None:
            shown[port] = {"PrivatePort": port.private, "Type": port.protocol}
            continue
        ip = reached(port.ip)
        key = Port(port.private, port.protocol, port.public, ip)
        shown[key] = {"IP": ip, "PrivatePort": port.private, "PublicPort": port.public, "Type": port.protocol}
    return shown


def endpoint(end: Endpoint) -> dict[str, Any]:
    """A container's end of a network, as rows and inspections have it."""
    return {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": None,
        "NetworkID": end.network_id,
        "EndpointID": end.endpoint_id,
        "Gateway": end.gateway,
        "IPAddress": end.ip,
        "IPPrefixLen": end.prefix_len,
        "IPv6Gateway": "",
        "GlobalIPv6Address": end.ipv6,
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": end.mac_address,
        "DriverOpts": None,
    }


def mount(each: Mount) -> dict[str, Any]:
    """A mount, as rows and inspections have it."""
    shown: dict[str, Any] = {"Type": each.type, "Name": each.name} if each.name else {"Type": each.type}
    shown |= {"Source": each.source, "Destination": each.destination}
    if each.driver:
        shown["Driver"] = each.driver
    return shown | {"Mode": each.mode, "RW": each.rw, "Propagation": each.propagation}
