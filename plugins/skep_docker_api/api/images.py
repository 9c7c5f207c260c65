"""Images that are there: list, inspect, history, save, tag, push, remove, prune."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import web

from skep import Agent, ClusterState, Engine, NotFoundError, TemporaryError
from skep_docker_api.answers import successes, unique
from skep_docker_api.forward import forward
from skep_docker_api.image_list import FILTERS, list_images
from skep_docker_api.image_names import Held, find_images
from skep_docker_api.nodes import ask_all, healthy_nodes
from skep_docker_api.queries import filters, json_answer
from skep_docker_api.refreshing import refresh_list
from skep_docker_api.routing import Handler, agent_of
from skep_docker_api.summary import api_version

__all__ = ["ROUTES"]

_CHANGE_TIME = 120.0  # seconds: removing a large image takes an engine a while


async def list_(request: web.Request) -> web.Response:
    """`docker images`, from the cluster's state."""
    agent = agent_of(request)
    wanted = filters(request, FILTERS)
    if old := request.query.get("filter"):
        wanted["reference"] = [*wanted.get("reference", []), old]
    spoken = request.match_info.get("version") or api_version(agent)
    major, _, minor = spoken.partition(".")
    return json_answer(list_images(agent.cluster.state, wanted, (int(major), int(minor or 0))))


def _answering(agent: Agent, held: list[Held], name: str) -> list[Held]:
    """Those whose nodes answer. Raises TemporaryError (503) where none does."""
    found = [each for each in held if each.node.node.is_healthy]
    if not found:
        nodes = "; ".join(f"{each.node.name}, {each.node.node.status}: {each.node.node.error}" for each in held)
        raise TemporaryError(f"image {name} is only on nodes that do not answer now: {nodes}")
    return found


async def on_one(request: web.Request) -> web.StreamResponse:
    """Inspect, history, save and push: from the first node that holds it and answers."""
    agent, name = agent_of(request), request.match_info["name"]
    wanted = name
    if request.path.endswith("/push") and (tag := request.query.get("tag")):
        wanted = f"{name}:{tag}"
    first = _answering(agent, find_images(agent.cluster.state, wanted), wanted)[0]
    asked = name if wanted != name else first.name
    path = f"/images/{quote(asked, safe='/:@')}/{request.path.rpartition('/')[2]}"
    return await forward(request, agent.cluster.engine(first.node.name), path)


async def save(request: web.Request) -> web.StreamResponse:
    """`docker save` of several images: from a node that answers and holds all."""
    agent = agent_of(request)
    names = [name for entry in request.query.getall("names", []) for name in entry.split(",") if name]
    for node in healthy_nodes(agent):
        if names and all(_holds(agent.cluster.state, node.name, name) for name in names):
            return await forward(request, agent.cluster.engine(node.name), "/images/get")
    raise NotFoundError(f"Unable to find a healthy engine containing all images: [{' '.join(names)}]")


def _holds(state: ClusterState, node: str, name: str) -> bool:
    try:
        return any(held.node.name == node for held in find_images(state, name))
    except NotFoundError:
        return False


async def tag(request: web.Request) -> web.Response:
    """`docker tag`, on every node that holds the image."""
    await _change(request, "POST", "/tag")
    return web.Response(status=201)


async def remove(request: web.Request) -> web.Response:
    """`docker rmi`, on every node that holds the image; what all of them did, each only once."""
    answers = await _change(request, "DELETE", "")
    return json_answer(unique(row for rows in answers.values() for row in rows))


async def _change(request: web.Request, method: str, action: str) -> dict[str, list[dict[str, Any]]]:
    """Do it on all nodes that hold the image and answer; read their images again; hand out their answers or raise their errors."""
    agent, name = agent_of(request), request.match_info["name"]
    held = {each.node.name: each for each in _answering(agent, find_images(agent.cluster.state, name), name)}

    async def change(node: str, engine: Engine) -> list[dict[str, Any]]:
        path = f"/images/{quote(held[node].name, safe='/:@')}{action}"
        async with agent_of(request).pending.on(node, f"image {name}"):
            answer = await engine.call(method, path, query=request.rel_url.raw_query_string, timeout=_CHANGE_TIME)
        await refresh_list(agent, node, "images")
        return msgspec.json.decode(answer, type=list[dict[str, Any]] | None) or [] if answer else []

    return successes(await ask_all(agent, [each.node for each in held.values()], change))


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/images/json", list_),
    ("GET", "/images/get", save),
    ("GET", "/images/{name:.+}/get", on_one),
    ("GET", "/images/{name:.+}/json", on_one),
    ("GET", "/images/{name:.+}/history", on_one),
    ("POST", "/images/{name:.+}/push", on_one),
    ("POST", "/images/{name:.+}/tag", tag),
    ("DELETE", "/images/{name:.+}", remove),
]
