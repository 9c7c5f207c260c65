"""The filter `port`: no two containers hold one port of a host."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from skep import Container, NodeSet, NodeState, PlacementQuery, Plugin, Port, Verdict

__all__ = ["PortPlugin"]

_Taken = Mapping[
    tuple[int, str], Mapping[str, NodeSet]
]  # a host's port and protocol, then its address, to the nodes that hold it


class PortPlugin(Plugin):
    """Keeps the nodes on which every port that the request asks for is free."""

    name = "port"

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes where each wanted port is free; of a range one free port is enough."""
        wanted = _wanted(query.request.container, query.request.body)
        if not wanted:
            return None
        host = query.request.container.network_mode == "host"
        taken = _taken(query, {(port.public, port.protocol) for ports in wanted for port in ports}, host)
        kept = query.nodes
        for ports in wanted:
            full = kept
            for port in ports:
                full = full & _holders(taken, port, query)
                if not full:
                    break
            kept = kept - full

        def reason(node: NodeState) -> str:
            for ports in wanted:
                holders = [_holder(node, port, host) for port in ports]
                if all(holders):
                    return f"port {_shown(ports)}: taken by {holders[0]}"
            return "port: free by now"

        return Verdict(kept, reason, lambda: [f"port {_shown(ports)}" for ports in wanted])


def _wanted(container: Container, body: Mapping[str, Any]) -> list[Sequence[Port]]:
    """What must be free, as ports of the host: of each entry one. On the host's network, what is exposed is what is used."""
    if container.network_mode == "host":
        return [(port,) for port in _exposed(container)]
    ranges = list(_ranges(body))
    ranged = {port for ports in ranges for port in ports}
    return [*((port,) for port in container.bindings if port.public and port not in ranged), *ranges]


def _ranges(body: Mapping[str, Any]) -> Iterator[Sequence[Port]]:
    """Bindings such as `8000-8010:80`: the engine takes any one of the range."""
    for key, bindings in ((body.get("HostConfig") or {}).get("PortBindings") or {}).items():
        private, _, protocol = key.partition("/")
        for binding in bindings or ():
            first, dash, last = (binding.get("HostPort") or "").partition("-")
            if dash:
                ip = binding.get("HostIp") or ""
                numbers = range(int(first), int(last) + 1)
                yield [Port(int(private), (protocol or "tcp").lower(), number, ip) for number in numbers]


def _exposed(container: Container) -> list[Port]:
    return [Port(port.private, port.protocol, port.private) for port in container.exposed]


def _claims(container: Container, host: bool) -> Sequence[Port]:
    """The ports of its host that a container holds: what its engine gave it while it is up, else what it asked for."""
    if host or container.network_mode == "host":
        return _exposed(container) if host and container.network_mode == "host" else ()
    given = [port for port in container.ports if port.public] if container.state.is_up else []
    return given or container.bindings


def _taken(query: PlacementQuery, keys: set[tuple[int | None, str]], host: bool) -> _Taken:
    nodes: dict[tuple[int, str], dict[str, list[NodeState]]] = defaultdict(lambda: defaultdict(list))
    for node in query.nodes:
        for container in node.containers.values():
            for port in _claims(container, host):
                if port.public and (port.public, port.protocol) in keys:
                    nodes[port.public, port.protocol][_address(port.ip)].append(node)
    return {key: {ip: query.state.node_set(found) for ip, found in ips.items()} for key, ips in nodes.items()}


def _holders(taken: _Taken, port: Port, query: PlacementQuery) -> NodeSet:
    found = query.state.node_set(())
    for ip, nodes in taken.get((port.public or 0, port.protocol), {}).items():
        if _meet(ip, _address(port.ip)):
            found = found | nodes
    return found


def _holder(node: NodeState, port: Port, host: bool) -> str:
    """The container that holds the port on a node, for people; "" where it is free."""
    for container in node.containers.values():
        for each in _claims(container, host):
            same = (each.public, each.protocol) == (port.public, port.protocol)
            if same and _meet(_address(each.ip), _address(port.ip)):
                return f"{container.name or 'a container without a name'} ({container.short_id or 'under way'})"
    return ""


def _meet(one: str, other: str) -> bool:
    """Whether two addresses of a host share a socket: "" is every one."""
    return not one or not other or one == other


@lru_cache(maxsize=1024)
def _address(text: str) -> str:
    """An address in its one spelling; "" for all interfaces."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    return "" if address.is_unspecified else str(address)


def _shown(ports: Sequence[Port]) -> str:
    first, last = ports[0], ports[-1]
    numbers = str(first.public) if first == last else f"{first.public}-{last.public}"
    address = f"{first.ip}:" if first.ip else ""
    return f"{address}{numbers}/{first.protocol}"
