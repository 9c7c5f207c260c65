"""The filter `port`: no two containers hold one port of a host."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

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
        for each in wanted:
            full = kept
            for number in each.numbers:
                full = full & _holders(find, number, each.ip, host, each.protocol if compared else "")
                if not full:
                    break
            kept = kept - full
            taken.append(full)

        def reason(node: NodeState) -> str:
            each = next(each for each, full in zip(wanted, taken, strict=True) if node in full)
            first = Port(0, each.protocol, each.numbers[0], each.ip)
            return f"port {each}: taken by {_holder(node, first, host, compared)}"

        return Verdict(kept, reason, lambda: [f"port {each}" for each in wanted])


class _Wanted(NamedTuple):
    """One entry of a request: a port of the host, or any one of a range; `ip` as it was written."""

    numbers: range
    protocol: str
    ip: str = ""

    def __str__(self) -> str:
        first, last = self.numbers[0], self.numbers[-1]
        numbers = str(first) if first == last else f"{first}-{last}"
        return f"{f'{self.ip}:' if self.ip else ''}{numbers}/{self.protocol}"


def _wanted(container: Container, body: Mapping[str, Any]) -> list[_Wanted]:
    """What must be free. On the host's network, what is exposed is what is used."""
    if container.network_mode == "host":
        return [_Wanted(range(port.private, port.private + 1), port.protocol) for port in container.exposed]
    return list(_published(body))


def _published(body: Mapping[str, Any]) -> Iterator[_Wanted]:
    """From the body, where a range such as `8000-8010:80` is still one; what leaves the choice to the engine wants nothing."""
    for key, bindings in sorted(((body.get("HostConfig") or {}).get("PortBindings") or {}).items(), key=_by_number):
        for binding in bindings or ():
            first, _, last = (binding.get("HostPort") or "0").partition("-")
            if not last and not int(first):
                continue
            numbers = range(int(first), int(last or first) + 1)
            if not numbers:
                raise RequestError(f"invalid range of ports {first}-{last} for {key}: expected the lower one first")
            yield _Wanted(numbers, (key.partition("/")[2] or "tcp").lower(), binding.get("HostIp") or "")


def _by_number(item: tuple[str, object]) -> tuple[int, str]:
    number, _, protocol = item[0].partition("/")
    return int(number), protocol


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


def _holders(find: Callable[[_Key], NodeSet], number: int, ip: str, host: bool, protocol: str) -> NodeSet:
    address = _address(ip)
    if not address:
        return find((host, number, protocol, None))
    return find((host, number, protocol, address)) | find((host, number, protocol, ""))


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
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped  # one address to an engine, written in two ways
    return "" if address.is_unspecified else str(address)
