"""Volumes of all nodes. One of a single node goes by `node/name` too, and must where several nodes have one of its name."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import web

from skep import Agent, NotFoundError, RequestError
from skep_docker_api.authorising import visible
from skep_docker_api.choice import choose_node
from skep_docker_api.forward import forward
from skep_docker_api.listings import VOLUME_FILTERS, list_volumes
from skep_docker_api.nodes import healthy_engine
from skep_docker_api.queries import decode_body, filters, flag, json_answer
from skep_docker_api.refreshing import when_changed
from skep_docker_api.routing import Handler, agent_of, plugin_of

__all__ = ["ROUTES"]


async def list_(request: web.Request) -> web.Response:
    """`docker volume ls`, from the cluster's state."""
    wanted, shows_nodes = filters(request, VOLUME_FILTERS), plugin_of(request).shows_nodes
    state = agent_of(request).cluster.state
    volumes = list_volumes(state, wanted, shows_nodes=shows_nodes, visible=visible(request))
    return json_answer({"Volumes": volumes, "Warnings": None})


async def inspect(request: web.Request) -> web.StreamResponse:
    """`docker volume inspect`: from its node, or as it was last known where that does not answer."""
    agent = agent_of(request)
    node, volume = agent.cluster.state.find_volume(request.match_info["name"])
    if not node.node.is_healthy:
        return json_answer(msgspec.Raw(volume.row))
    return await forward(request, agent.cluster.engine(node.name), _path(volume.name))


def _path(name: str) -> str:
    return f"/volumes/{quote(name, safe='')}"


async def create(request: web.Request) -> web.StreamResponse:
    """`docker volume create`: `node/name` on that node; a name that is known stays where it is; others go where a container would."""
    agent = agent_of(request)
    body: dict[str, Any] = await decode_body(request, dict[str, Any]) if request.body_exists else {}
    wanted = body.get("Name") or ""
    if not isinstance(wanted, str):
        raise RequestError('expected a text as the volume\'s name, in "Name"')
    node, slash, name = wanted.rpartition("/")
    if not slash:
        node = _node_of(agent, name) or choose_node(agent)
    engine = healthy_engine(agent, node, f"volume {wanted}")
    data = msgspec.json.encode({**body, "Name": name})
    return await forward(request, engine, "/volumes/create", body=data, on_end=when_changed(agent, node, "volumes"))


def _node_of(agent: Agent, name: str) -> str:
    """The node that has the volume, "" where none has. Raises ConflictError where several have one of that name."""
    try:
        return agent.cluster.state.find_volume(name)[0].name if name else ""
    except NotFoundError:
        return ""


async def remove(request: web.Request) -> web.StreamResponse:
    """`docker volume rm`."""
    agent, name = agent_of(request), request.match_info["name"]
    try:
        node, volume = agent.cluster.state.find_volume(name)
    except NotFoundError:
        if flag(request, "force"):
            return web.Response(status=204)
        raise
    engine = healthy_engine(agent, node.name, f"volume {name}")
    return await forward(request, engine, _path(volume.name), on_end=when_changed(agent, node.name, "volumes"))


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/volumes", list_),
    ("POST", "/volumes/create", create),
    ("GET", "/volumes/{name:.+}", inspect),
    ("DELETE", "/volumes/{name:.+}", remove),
]
