"""The filter `dependency`: a container goes where those are that it links to, or shares volumes or namespaces with."""

from __future__ import annotations

from collections.abc import Iterator

from skep import Container, NodeSet, NodeState, PlacementQuery, PlacementRequest, Plugin, Verdict

__all__ = ["DependencyPlugin"]

_SWARM_ID = "com.docker.swarm.id"
_NAMESPACES = (("--net", "NetworkMode"), ("--pid", "PidMode"), ("--ipc", "IpcMode"))


class DependencyPlugin(Plugin):
    """Keeps the nodes that hold every container that the request depends on."""

    name = "dependency"

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes on which all dependencies are; of a refused one the first that is missing is told."""
        needed = [(text, _holders(query, reference)) for text, reference in _dependencies(query.request)]
        if not needed:
            return None
        kept = query.nodes
        for _, holders in needed:
            kept = kept & holders

        def reason(node: NodeState) -> str:
            text, holders = next(each for each in needed if node not in each[1])
            return f"{text}: {_where(holders)}"

        return Verdict(kept, reason, lambda: [text for text, _ in needed])


def _dependencies(request: PlacementRequest) -> Iterator[tuple[str, str]]:
    """Each as it is written on docker's command line, and the container that it names."""
    for entry in request.container.volumes_from:
        yield f"--volumes-from={entry}", entry.partition(":")[0]
    for entry in request.container.links:
        yield f"--link={entry}", entry.partition(":")[0]
    host = request.body.get("HostConfig") or {}
    for option, field in _NAMESPACES:
        mode = request.container.network_mode if field == "NetworkMode" else host.get(field)
        if isinstance(mode, str) and mode.startswith("container:"):
            yield f"{option}={mode}", mode.removeprefix("container:")


def _holders(query: PlacementQuery, reference: str) -> NodeSet:
    """The nodes that hold the container: by name, by node/name, else by id, Swarm's id, or the beginning of one."""
    state = query.state
    node, slash, name = reference.lstrip("/").partition("/")
    wanted = name if slash else node
    found = [each for each in state.named(wanted) if not slash or each.node == node] if wanted else []
    if not found and wanted and not slash:
        found = list(state.with_id(wanted))
        found = [each for each in found if wanted in _ids(each)] or found
    return state.node_set(known for each in found if (known := state.get_node(each.node)))


def _ids(container: Container) -> tuple[str, str]:
    return container.id, container.labels.get(_SWARM_ID, "")


def _where(holders: NodeSet) -> str:
    if not holders:
        return "there is no such container"
    first = holders.first().name
    return (
        f"that container is on {first}"
        if len(holders) == 1
        else f"such containers are on {first} and {len(holders) - 1} more"
    )
