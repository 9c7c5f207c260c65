"""The endpoint itself: ping, versions, info; and what any node can answer for all, or all have to answer together."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from skep import Engine
from skep_docker_api.answers import merged, successes
from skep_docker_api.choice import any_engine
from skep_docker_api.forward import forward
from skep_docker_api.nodes import ask_all, healthy_nodes
from skep_docker_api.queries import json_answer, path_of
from skep_docker_api.routing import Handler, agent_of, plugin_of
from skep_docker_api.summary import builder_version, describe_versions

__all__ = ["ROUTES"]


async def ping(request: web.Request) -> web.Response:
    """Say that the endpoint lives, which versions it speaks, and which builder its engines would rather be asked for."""
    agent = agent_of(request)
    headers = {
        **plugin_of(request).server_headers(),
        "Builder-Version": builder_version(agent),
        "Cache-Control": "no-cache, no-store, must-revalidate",
        "Pragma": "no-cache",
    }
    return web.Response(text="OK", headers=headers)


async def version(request: web.Request) -> web.Response:
    """`docker version`."""
    return json_answer(describe_versions(agent_of(request)))


async def info(request: web.Request) -> web.Response:
    """`docker info`."""
    plugin = plugin_of(request)
    return web.Response(body=plugin.info(plugin.event_log.listeners), content_type="application/json")


async def disk_usage(request: web.Request) -> web.Response:
    """`docker system df`: all nodes' lists together, and the sums of their numbers."""
    agent = agent_of(request)

    async def ask(node: str, engine: Engine) -> Any:
        answer = msgspec.json.decode(
            await engine.call("GET", "/system/df", query=request.rel_url.raw_query_string, timeout=60),
            type=dict[str, Any],
        )
        return _with_node(answer, node) if plugin_of(request).shows_nodes else answer

    return json_answer(merged(successes(await ask_all(agent, healthy_nodes(agent), ask)).values()))


def _with_node(usage: Any, node: str) -> Any:
    """The same, with the node before the names of containers and of volumes that live on one node."""
    for container in usage.get("Containers") or ():
        container["Names"] = [f"/{node}{name}" for name in container.get("Names") or ()]
    for volume in usage.get("Volumes") or ():
        if volume.get("Driver") == "local":
            volume["Name"] = f"{node}/{volume['Name']}"
    return usage


async def one_node(request: web.Request) -> web.StreamResponse:
    """What needs a registry and no particular node: login, search, distribution."""
    return await forward(request, any_engine(agent_of(request)), path_of(request))


ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/_ping", ping),
    ("HEAD", "/_ping", ping),
    ("GET", "/version", version),
    ("GET", "/info", info),
    ("GET", "/system/df", disk_usage),
    ("POST", "/auth", one_node),
    ("GET", "/images/search", one_node),
    ("GET", "/distribution/{name:.+}/json", one_node),
]
