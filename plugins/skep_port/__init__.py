"""The filter `port`: no two containers hold one port of a host."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from skep import Container, NodeSet, NodeState, PlacementQuery, Plugin, PluginSettings, Port, RequestError, Verdict

__all__ = ["PortPlugin", "PortSettings"]

# Whether it is on the host's network, number, protocol ("" where protocols are not compared), address: "" for all, None for any.
_Key = tuple[bool, int | None, str, str | None]


class PortSettings(PluginSettings, frozen=True, kw_only=True):
    """What makes two ports the same."""

    compare_protocols: bool = True
    """Whether 53/tcp and 53/udp are two ports; classic Swarm takes them for one where they are published."""


class PortPlugin(Plugin):
    """Keeps the nodes on which every port that the request asks for is free."""

    Settings = PortSettings
    settings: PortSettings
    name = "port"

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes where each wanted port is free; of a range one free port is enough."""
        request = query.request
        wanted = _wanted(request.container, request.body)
        if not wanted:
            return None
        host = request.container.network_mode == "host"
        compared = self.settings.compare_protocols or host
        keys_of = _keys if self.settings.compare_protocols else _keys_of_any_protocol
        find = query.state.container_index(("port", self.settings.compare_protocols), keys_of)
        kept, taken = query.nodes, []
        for ports in wanted:
            full = kept
            for port in ports:
                full = full & _holders(find, port, host, port.protocol if compared else "")
                if not full:
                    break
            kept = kept - full
            taken.append(full)

        def reason(node: NodeState) -> str:
            ports = next(ports for ports, full in zip(wanted, taken, strict=True) if node in full)
            return f"port {_shown(ports)}: taken by {_holder(node, ports[0], host, compared)}"

        return Verdict(kept, reason, lambda: [f"port {_shown(ports)}" for ports in wanted])


def _wanted(container: Container, body: Mapping[str, Any]) -> list[Sequence[Port]]:
    """What must be free, as ports of the host: of each entry one. On the host's network, what is exposed is what is used."""
    if container.network_mode == "host":
        return [(Port(port.private, port.protocol, port.private),) for port in container.exposed]
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
                if not numbers:
                    raise RequestError(f"invalid range of ports {first}-{last} for {key}: expected the lower one first")
                yield [Port(int(private), (protocol or "tcp").lower(), number, ip) for number in numbers]


def _claims(container: Container) -> tuple[bool, Sequence[Port]]:
    """The ports of its host that a container holds: what its engine gave it while it is up, else what it asked for.

    True with them where it is on the host's network: those are compared among each other only.
    """
    if container.network_mode == "host":
        return True, [Port(port.private, port.protocol, port.private) for port in container.exposed]
    given = [port for port in container.ports if port.public] if container.state.is_up else []
    return False, given or [port for port in container.bindings if port.public]


def _keys(container: Container) -> Iterator[_Key]:
    """Each claimed port twice: with its address, and with None for whoever wants it on all of them."""
    host, ports = _claims(container)
    for port in ports:
        yield host, port.public, port.protocol, _address(port.ip)
        yield host, port.public, port.protocol, None


def _keys_of_any_protocol(container: Container) -> Iterator[_Key]:
    """The same, with no protocol for what is published; on the host's network it counts all the same."""
    return ((host, number, protocol if host else "", address) for host, number, protocol, address in _keys(container))


def _holders(find: Callable[[_Key], NodeSet], port: Port, host: bool, protocol: str) -> NodeSet:
    address = _address(port.ip)
    if not address:
        return find((host, port.public, protocol, None))
    return find((host, port.public, protocol, address)) | find((host, port.public, protocol, ""))


def _holder(node: NodeState, port: Port, host: bool, compared: bool) -> str:
    """The container that holds the port on a node, for people."""
    held = node.containers.values()
    # first those that asked for it: what an engine gave takes longer to read
    likely = [each for each in held if any(bound.public == port.public for bound in each.bindings)]
    for container in (*likely, *held):
        on_host, ports = _claims(container)
        if on_host is host and any(_clash(each, port, compared) for each in ports):
            return f"{container.name or 'a container without a name'} ({container.short_id or 'under way'})"
    return "a container that is gone by now"


def _clash(one: Port, other: Port, compared: bool) -> bool:
    if one.public != other.public or (compared and one.protocol != other.protocol):
        return False
    addresses = {_address(one.ip), _address(other.ip)}
    return len(addresses) == 1 or "" in addresses


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
