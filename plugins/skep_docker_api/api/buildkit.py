"""BuildKit beside the build itself: the client's session, buildx's own connection, cancelling."""

from __future__ import annotations

from aiohttp import web

from skep import Agent, Engine, RequestError
from skep_docker_api.choice import choose_node
from skep_docker_api.container_calls import client_of
from skep_docker_api.forward import forward, tunnel
from skep_docker_api.nodes import healthy_engine, healthy_nodes
from skep_docker_api.refreshing import refresh_list
from skep_docker_api.routing import Handler, agent_of, plugin_of
from skep_docker_api.spreading import names_on, spread

__all__ = ["ROUTES"]


async def session(request: web.Request) -> web.StreamResponse:
    """The connection by which a build asks its client for files and secrets: to the node of the build."""
    id_ = request.headers.get("X-Docker-Expose-Session-Uuid", "")
    if not id_:
        raise RequestError("no session ID provided: expected the header X-Docker-Expose-Session-Uuid")
    agent, places = agent_of(request), plugin_of(request).build_places
    node = _only_node(agent) or await places.of_session(id_, client_of(request))
    return await tunnel(request, _engine(agent, node), "/session")


async def grpc(request: web.Request) -> web.StreamResponse:
    """buildx's connection to BuildKit: to one node for all builds of a client, chosen as for a container."""
    agent, places = agent_of(request), plugin_of(request).build_places
    healthy = {node.name for node in healthy_nodes(agent)}
    node = places.of_client(client_of(request), healthy.__contains__, lambda: choose_node(agent))
    before = names_on(agent, node)
    answer = await tunnel(request, _engine(agent, node), "/grpc")
    if plugin_of(request).settings.build_images == "all":
        await refresh_list(agent, node, "images")
        await spread(agent, node, [tag for tag, id_ in names_on(agent, node).items() if before.get(tag) != id_])
    return answer


async def cancel(request: web.Request) -> web.StreamResponse:
    """End a build by BuildKit, on its node."""
    id_ = request.query.get("id", "")
    if not id_:
        raise RequestError("build ID not provided: expected id=ID")
    agent = agent_of(request)
    node = await plugin_of(request).build_places.of_build(id_)
    return await forward(request, _engine(agent, node), "/build/cancel")


def _only_node(agent: Agent) -> str:
    nodes = agent.cluster.state.nodes
    return nodes[0].name if len(nodes) == 1 else ""


def _engine(agent: Agent, node: str) -> Engine:
    return healthy_engine(agent, node, "the build")


ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/session", session),
    ("POST", "/grpc", grpc),
    ("POST", "/build/cancel", cancel),
]
