"""The filter `dependency`: a container goes where those are that it links to, or shares volumes, namespaces or a network with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from skep import ClusterState, Container, NodeSet, NodeState, PlacementQuery, PlacementRequest, Plugin, Verdict

__all__ = ["DependencyPlugin"]

_NAMESPACES = (("--net", "NetworkMode"), ("--pid", "PidMode"), ("--ipc", "IpcMode"))
_SHORT = 12  # characters of an id that docker shows
_EVERYWHERE = ("", "default", "bridge", "host", "none", "nat")  # networks that each engine has


class DependencyPlugin(Plugin):
    """Keeps the nodes that hold every container and every network that the request depends on."""

    name = "dependency"

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes on which all dependencies are; of a refused one the first that is missing is told."""
        needed = [*_containers(query), *_networks(query)]
        if not needed:
            return None
        kept = query.nodes
        for _, _, holders in needed:
            kept = kept & holders

        def reason(node: NodeState) -> str:
            text, what, holders = next(each for each in needed if node not in each[2])
            return f"{text}: {_where(what, holders)}"

        return Verdict(kept, reason, lambda: [text for text, _, _ in needed])


_Needed = tuple[str, str, NodeSet]  # as it is written on docker's command line, what it is, and the nodes that hold it


def _containers(query: PlacementQuery) -> Iterator[_Needed]:
    for text, reference in _references(query.request):
        yield text, "container", _holders(query, reference)


def _references(request: PlacementRequest) -> Iterator[tuple[str, str]]:
    for entry in request.container.volumes_from:
        yield f"--volumes-from={entry}", entry.partition(":")[0]
    for entry in request.container.links:
        yield f"--link={entry}", entry.partition(":")[0]
    host = _table(request.body.get("HostConfig"))
    for option, field in _NAMESPACES:
        mode = request.container.network_mode if field == "NetworkMode" else host.get(field)
        if isinstance(mode, str) and mode.startswith("container:"):
            yield f"{option}={mode}", mode.removeprefix("container:")


def _holders(query: PlacementQuery, reference: str) -> NodeSet:
    """The nodes that hold the container: by an id or Swarm's id, whole or its first 12 characters, else by name or node/name, else by
    the beginning of an id, on a node where that is nobody else's."""
    state = query.state
    known = {id(each): each for each in state.with_id(reference)}.values() if reference else ()
    exact = [each for each in known if len(reference) == _SHORT or reference in (each.id, each.swarm_id)]
    found = exact or _named(state, reference)
    if not found:
        per_node = Counter(each.node for each in known)
        found = [each for each in known if per_node[each.node] == 1]
    return state.node_set(node for each in found if (node := state.get_node(each.node)))


def _named(state: ClusterState, reference: str) -> list[Container]:
    first, slash, name = reference.removeprefix("/").partition("/")
    if not slash:
        return list(state.named(first)) if first else []
    named = state.named(name) if name else ()
    return [each for each in named if (node := state.get_node(each.node)) and first in (node.name, node.node.id)]


def _networks(query: PlacementQuery) -> Iterator[_Needed]:
    """The networks of the request that one host alone has; one that spans hosts, or that nobody knows, is the engine's affair."""
    mode = query.request.container.network_mode
    endpoints = _table(_table(query.request.body.get("NetworkingConfig")).get("EndpointsConfig"))
    for name in dict.fromkeys((mode, *endpoints)):
        if name in _EVERYWHERE or name.startswith("container:"):
            continue
        holders = _network_holders(query, name)
        if holders is not None:
            yield f"--net={name}", "network", holders


def _network_holders(query: PlacementQuery, name: str) -> NodeSet | None:
    first, slash, _ = name.partition("/")
    node = query.state.get_node(first) if slash else None
    if node is not None:
        return query.state.node_set([node])
    ranks = query.state.rank_nodes(("dependency", name), lambda each: _network_rank(each, name))
    return ranks[0][1] if ranks and ranks[0][0] else None


def _network_rank(node: NodeState, name: str) -> int | None:
    """0 where the network spans hosts, 1 where it is the node's own, None where it is not."""
    scopes = [network.scope for network in node.networks if name in (network.name, network.id)]
    return None if not scopes else int("local" in scopes)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _where(what: str, holders: NodeSet) -> str:
    if not holders:
        return f"there is no such {what}"
    first, more = holders.first().name, len(holders) - 1
    return f"that {what} is on {first}{f' and {more} more' if more else ''}"
