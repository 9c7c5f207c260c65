"""Containers: list, inspect, create, rename, prune, and what moves one from state to state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from operator import attrgetter

import msgspec
from aiohttp import web

from skep import ConflictError, Engine, EngineError, RequestError, SkepError, error_status
from skep_docker_api import container_filters, inspections
from skep_docker_api.authorising import hides_env, visible
from skep_docker_api.container_calls import (
    changing,
    client_of,
    container_of,
    engine_of,
    passing,
    refresh,
    refreshing,
    remove,
    stopping,
)
from skep_docker_api.forward import engine_version, forward
from skep_docker_api.lookups import find_seen, without_others
from skep_docker_api.nodes import ask_all, healthy_nodes
from skep_docker_api.queries import filters, flag, integer, json_answer, whole_body
from skep_docker_api.renaming import name_taken
from skep_docker_api.routing import Handler, agent_of, plugin_of
from skep_docker_api.rows import ROWS_AT_ONCE
from skep_docker_api.status import is_running

__all__ = ["ROUTES"]

_INSPECT_SECONDS = 10.0
_SIZE_SECONDS = 60.0


async def list_containers(request: web.Request) -> web.StreamResponse:
    """`docker ps`: from the state; with `size`, which only engines know, those are asked too."""
    plugin, state = plugin_of(request), agent_of(request).cluster.state
    asked = filters(request, container_filters.KNOWN)
    for name in ("before", "since"):
        if value := request.query.get(name):
            asked[name] = [value]
    may_see = visible(request)
    for name in ("before", "since"):
        if references := asked.get(name):
            asked[name] = [find_seen(state, reference, may_see).id for reference in references]
    limit = max(0, integer(request, "limit") or 0)
    tests = container_filters.tests(state, asked)
    if may_see is not None:
        tests.insert(0, lambda container: may_see(container.labels))
    if not (flag(request, "all") or limit or "status" in asked or "before" in asked or "since" in asked):
        up = {node.name for node in state.nodes if node.node.is_healthy}
        tests.insert(0, lambda container: is_running(container) and container.node in up)
    found = [each for each in state.containers() if each.id and all(test(each) for test in tests)]
    await asyncio.sleep(0)
    found.sort(key=attrgetter("id"))
    found.sort(key=attrgetter("created"), reverse=True)  # those of one moment stay in their order
    sizes = await _sizes(request) if flag(request, "size") else None
    shown = found[:limit] if limit else found
    parts = plugin.rows.parts(state, shown, time.time(), with_nodes=plugin.shows_nodes, sizes=sizes)
    if len(shown) <= ROWS_AT_ONCE:
        return web.Response(body=b"".join(parts), content_type="application/json")
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for part in parts:
        await response.write(part)
        await asyncio.sleep(0)  # writing waits only for a client that is slow
    await response.write_eof()
    return response


class _Size(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    own: int = msgspec.field(name="SizeRw", default=0)
    all: int = msgspec.field(name="SizeRootFs", default=0)


async def _sizes(request: web.Request) -> Mapping[str, bytes]:
    """Each container's sizes as fields of its row."""

    async def ask(node: str, engine: Engine) -> list[_Size]:
        query = {"all": True, "size": True}
        return await engine.get("/containers/json", list[_Size], query=query, timeout=_SIZE_SECONDS)

    agent = agent_of(request)
    answers = await ask_all(agent, healthy_nodes(agent), ask)
    found = (size for answer in answers.values() if isinstance(answer, list) for size in answer)
    return {
        size.id: (b'"SizeRw":%d,' % size.own if size.own else b"") + b'"SizeRootFs":%d,' % size.all for size in found
    }


async def inspect(request: web.Request) -> web.StreamResponse:
    """From the engine; from the state, with less, when that does not answer."""
    container, agent = container_of(request), agent_of(request)
    node = agent.cluster.state.get_node(container.node)
    assert node is not None
    if not node.node.is_healthy:
        return json_answer(inspections.from_state(container, node.node, hides_env=hides_env(request)))
    engine = engine_of(request, container)
    path = f"/containers/{container.id}/json"
    version = await engine_version(request, engine)
    query = {"size": flag(request, "size") or None}
    try:
        body = await engine.call("GET", path, query=query, version=version, timeout=_INSPECT_SECONDS)
    except EngineError as error:
        if error.status == 404:  # the state is behind
            await refresh(agent, container.node, container.id)
        raise
    shown = inspections.from_engine(body, node.node, hides_env=hides_env(request))
    return web.Response(body=shown, content_type="application/json")


async def wait(request: web.Request) -> web.StreamResponse:
    """Wait for a container's end; the head is sent at once. Whoever is told of the end finds it in the next list."""
    container = container_of(request)
    path, known = f"/containers/{container.id}/wait", refreshing(request, container)
    return await forward(request, engine_of(request, container), path, on_body=known)


async def create(request: web.Request) -> web.StreamResponse:
    """Place a container and create it there."""
    agent, may_see = agent_of(request), visible(request)
    name = request.query.get("name", "").removeprefix("/")
    wanted = agent.request(await whole_body(request), name)
    if may_see is not None and name and not all(may_see(each.labels) for each in agent.cluster.state.named(name)):
        raise ConflictError(f"Conflict. The container name {name} is already in use.")  # and not by whom
    try:
        created = await agent.create_container(
            wanted,
            client=client_of(request),
            platform=request.query.get("platform", ""),
            auth=request.headers.get("X-Registry-Auth", ""),
        )
    except SkepError as error:  # it may say who has the port, say
        if may_see is None:
            raise
        told = without_others(str(error), agent.cluster.state, may_see, wanted.container)
        raise RequestError(told, status=error_status(error)) from None
    return json_answer({"Id": created.id, "Warnings": list(created.warnings)}, status=201)


async def rename(request: web.Request) -> web.StreamResponse:
    """Rename a container, unless another one of the cluster has the name, or is getting it now."""
    container, state = container_of(request), agent_of(request).cluster.state
    engine, may_see = engine_of(request, container), visible(request)
    name = request.query.get("name", "").removeprefix("/")
    for other in state.named(name) if name else ():
        if other.id != container.id:
            whose = f' by container "{other.id or "being created"}" on node {other.node}'
            raise ConflictError(
                f'Conflict. The container name "/{name}" is already in use{whose if may_see is None or may_see(other.labels) else ""}. '
                "You have to remove (or rename) that container to be able to reuse that name."
            )
    async with name_taken(state, container, name) as give_back:

        async def on_answer(status: int) -> None:
            await refresh(agent_of(request), container.node, container.id)
            give_back()

        return await forward(request, engine, f"/containers/{container.id}/rename", on_answer=on_answer)


REF = "/containers/{ref:.+}"
ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/containers/json", list_containers),
    ("GET", "/containers/ps", list_containers),
    ("POST", "/containers/create", create),
    ("GET", f"{REF}/json", inspect),
    ("POST", f"{REF}/rename", rename),
    *(("POST", f"{REF}/{action}", changing(action)) for action in ("start", "pause", "unpause", "update")),
    *(("POST", f"{REF}/{action}", stopping(action)) for action in ("stop", "kill", "restart")),
    ("POST", f"{REF}/wait", wait),
    ("POST", f"{REF}/resize", passing("resize")),
    *(("GET", f"{REF}/{action}", passing(action)) for action in ("top", "changes")),
    ("DELETE", REF, remove),
]
