"""Networks of all nodes. A network of one node goes by `node/name` too, and must where several nodes have one of its name."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from skep import Agent, ConflictError, Container, Network, NodeState, RequestError
from skep_docker_api.authorising import visible
from skep_docker_api.choice import choose_node
from skep_docker_api.forward import forward
from skep_docker_api.listings import NETWORK_FILTERS, is_predefined, list_networks
from skep_docker_api.lookups import find_container
from skep_docker_api.nodes import healthy_engine
from skep_docker_api.queries import decode_body, filters, json_answer
from skep_docker_api.refreshing import refresh_list, when_changed
from skep_docker_api.routing import Handler, agent_of, plugin_of

__all__ = ["ROUTES"]


async def list_(request: web.Request) -> web.Response:
    """`docker network ls`, from the cluster's state."""
    wanted, shows_nodes = filters(request, NETWORK_FILTERS), plugin_of(request).shows_nodes
    state = agent_of(request).cluster.state
    return json_answer(list_networks(state, wanted, shows_nodes=shows_nodes, visible=visible(request)))


async def inspect(request: web.Request) -> web.StreamResponse:
    """`docker network inspect`: from its node, or as it was last known where that does not answer."""
    agent = agent_of(request)
    node, network = agent.cluster.state.find_network(request.match_info["name"])
    if not node.node.is_healthy:
        return json_answer(msgspec.Raw(network.row))
    return await forward(request, agent.cluster.engine(node.name), f"/networks/{network.id}")


async def create(request: web.Request) -> web.StreamResponse:
    """`docker network create`: `node/name` on that node, any other name where a container would go."""
    agent = agent_of(request)
    body: dict[str, Any] = await decode_body(request, dict[str, Any])
    wanted = body.get("Name")
    if not isinstance(wanted, str) or not wanted:
        raise RequestError('expected a name for the network, in "Name"')
    node, slash, name = wanted.rpartition("/")
    if not slash:
        _refuse_taken(request, name)
        node = choose_node(agent)
    engine = healthy_engine(agent, node, f"network {wanted}")
    data = msgspec.json.encode({**body, "Name": name})
    return await forward(request, engine, "/networks/create", body=data, on_end=when_changed(agent, node, "networks"))


def _refuse_taken(request: web.Request, name: str) -> None:
    if is_predefined(name):
        return  # the engine refuses it in its own words
    may_see = visible(request)
    for node in agent_of(request).cluster.state.nodes:
        for network in node.networks:
            if network.name == name:
                where = f", on node {node.name}" if may_see is None or may_see(network.labels or {}) else ""
                raise ConflictError(
                    f"network with name {name} already exists{where}; to have another one, say where: NODE/{name}"
                )


async def remove(request: web.Request) -> web.StreamResponse:
    """`docker network rm`."""
    agent, name = agent_of(request), request.match_info["name"]
    node, network = agent.cluster.state.find_network(name)
    engine = healthy_engine(agent, node.name, f"network {name}")
    return await forward(request, engine, f"/networks/{network.id}", on_end=when_changed(agent, node.name, "networks"))


async def attach(request: web.Request) -> web.StreamResponse:
    """`docker network connect` and `disconnect`, on the container's node."""
    agent, name = agent_of(request), request.match_info["name"]
    body: dict[str, Any] = await decode_body(request, dict[str, Any])
    wanted = body.get("Container")
    if not isinstance(wanted, str) or not wanted:
        raise RequestError('expected a container\'s name or id, in "Container"')
    container = find_container(agent.cluster.state, wanted)
    network = _network_for(agent, name, container)
    engine = healthy_engine(agent, container.node, f"container {wanted}")
    data = msgspec.json.encode({**body, "Container": container.id})
    path = f"/networks/{network.id}/{request.path.rpartition('/')[2]}"

    async def on_end(status: int) -> None:
        if status < 300:
            await refresh_list(agent, container.node, "networks")
            await agent.cluster.refresh_container(container.node, container.id)

    return await forward(request, engine, path, body=data, on_end=on_end)


def _network_for(agent: Agent, name: str, container: Container) -> Network:
    """The network that a container can be on: by a bare name that of its own node. Raises RequestError where it is elsewhere."""
    own = agent.cluster.state.get_node(container.node)
    for network in own.networks if own else ():
        if name in (network.name, network.id):
            return network
    node, network = agent.cluster.state.find_network(name)
    if own is not node and not _has(own, network):
        raise RequestError(
            f"network {name} is on node {node.name}, and container {container.name} is on node {container.node}: "
            f"create it there, as {container.node}/{network.name}"
        )
    return network


def _has(node: NodeState | None, network: Network) -> bool:
    return node is not None and any(each.id == network.id for each in node.networks)


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/networks", list_),
    ("POST", "/networks/create", create),
    ("POST", "/networks/{name:.+}/connect", attach),
    ("POST", "/networks/{name:.+}/disconnect", attach),
    ("GET", "/networks/{name:.+}", inspect),
    ("DELETE", "/networks/{name:.+}", remove),
]
