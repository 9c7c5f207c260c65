"""Images that are made: build on one node, chosen as for a container; commit on the container's node."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from skep import Agent, ExpressionError, RequestError
from skep_docker_api.choice import choose_node
from skep_docker_api.forward import OnAnswer, forward
from skep_docker_api.image_names import find_images, normal_name
from skep_docker_api.lookups import find_container
from skep_docker_api.nodes import healthy_engine
from skep_docker_api.refreshing import when_changed
from skep_docker_api.routing import Handler, agent_of, plugin_of
from skep_docker_api.spreading import spread

__all__ = ["ROUTES"]

_CONTEXT = "upload-request:"
"""Before the id of a build, in that of the request that brings its context."""


async def build(request: web.Request) -> web.StreamResponse:
    """`docker build`, by the classic builder or by BuildKit, on one node.

    Build arguments that are scheduling entries (`--build-arg constraint:node==a`) say where, and are no arguments then;
    `memory` and `cpushares` count for the choice. Without entries an image is built where one of its name is, if it can be: there is
    the cache, and no older image of that name stays elsewhere.
    """
    agent, places = agent_of(request), plugin_of(request).build_places
    if (asked := request.query.get("version", "")) not in ("", "1", "2"):
        raise RequestError(f"invalid version {asked[:40]!r}: expected 1 (the classic builder) or 2 (BuildKit)")
    build_id = request.query.get("buildid", "")
    if build_id.startswith(_CONTEXT):
        node = await places.of_build(build_id.removeprefix(_CONTEXT))
        return await forward(request, healthy_engine(agent, node, "the build"), "/build")
    arguments, entries = _split(_arguments(request), agent)
    entries = entries or _where_it_is(agent, request.query.getall("t", []))
    try:
        node = choose_node(agent, entries, Memory=_number(request, "memory"), CpuShares=_number(request, "cpushares"))
    except ExpressionError as error:
        raise error.found_in(error.kind, "build argument") from None
    pairs = [(key, value) for key, value in request.query.items() if key != "buildargs"]
    if arguments:
        pairs.append(("buildargs", msgspec.json.encode(arguments).decode()))
    engine = healthy_engine(agent, node, "the build")
    places.put(node, build_id, request.query.get("session", ""))
    async with agent_of(request).pending.on(node, "the build"):
        end = _when_made(request, node, request.query.getall("t", []))
        return await forward(request, engine, "/build", query=urlencode(pairs), on_end=end)


def _when_made(request: web.Request, node: str, names: list[str], *, tells: bool = True) -> OnAnswer:
    """For `forward`: have the image known, and by the setting on all nodes; `tells`: the answer has lines of progress."""
    agent, refreshed = agent_of(request), when_changed(agent_of(request), node, "images")

    async def on_end(status: int) -> bytes:
        await refreshed(status)
        if status < 300 and plugin_of(request).settings.build_images == "all":
            told = await spread(agent, node, names)
            return told if tells else b""
        return b""

    return on_end


def _arguments(request: web.Request) -> dict[str, str | None]:
    try:
        return msgspec.json.decode(request.query.get("buildargs") or "{}", type=dict[str, str | None] | None) or {}
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RequestError(f'invalid buildargs: {error}; expected JSON such as {{"NAME": "value"}}') from None


def _split(arguments: dict[str, str | None], agent: Agent) -> tuple[dict[str, str | None], list[str]]:
    """The arguments proper, and the scheduling entries among them; docker splits both at the first `=`."""
    kinds, proper, entries = agent.expression_kinds, dict[str, str | None](), list[str]()
    for key, value in arguments.items():
        kind, colon, _ = key.partition(":")
        if colon and kind in kinds:
            entries.append(key if value is None else f"{key}={value}")
        else:
            proper[key] = value
    return proper, entries


def _where_it_is(agent: Agent, tags: Iterable[str]) -> list[str]:
    """An entry that wishes for a node that has an image of one of these names already."""
    if "affinity" in agent.expression_kinds:
        for name in tags:
            with suppress(RequestError):
                if any(held.node.node.is_healthy for held in find_images(agent.cluster.state, name)):
                    return [f"affinity:image==~{normal_name(name)}"]
    return []


def _number(request: web.Request, name: str) -> int:
    text = request.query.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


async def commit(request: web.Request) -> web.StreamResponse:
    """`docker commit`: on the container's node."""
    agent, name = agent_of(request), request.query.get("container", "")
    container = find_container(agent.cluster.state, name)
    engine = healthy_engine(agent, container.node, f"container {name}")
    pairs = [(key, container.id if key == "container" else value) for key, value in request.query.items()]
    name_given = request.query.get("repo", "")
    names = [f"{name_given}:{tag}" if (tag := request.query.get("tag")) else name_given] if name_given else []
    end = _when_made(request, container.node, names, tells=False)
    async with agent_of(request).pending.on(container.node, f"commit {name}"):
        return await forward(request, engine, "/commit", query=urlencode(pairs), on_end=end)


ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/build", build),
    ("POST", "/commit", commit),
]
