"""Execs: an engine names one by an id alone, so the node of each is remembered, or asked for."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from aiohttp import web

from skep import Engine, EngineProtocolError, NotFoundError
from skep_docker_api.container_calls import container_of, engine_of
from skep_docker_api.forward import engine_version, forward, tunnel
from skep_docker_api.nodes import first_answer, healthy_engine, healthy_nodes
from skep_docker_api.queries import decode_body, whole_body
from skep_docker_api.routing import Handler, agent_of, plugin_of

__all__ = ["ROUTES", "find_exec"]

_ASK_SECONDS = 5.0


class _Created(msgspec.Struct):
    id: str = msgspec.field(name="Id")


class _Start(msgspec.Struct):
    detach: bool | None = msgspec.field(name="Detach", default=False)


async def create(request: web.Request) -> web.StreamResponse:
    """Prepare a command in a container."""
    container = container_of(request)
    engine = engine_of(request, container)
    answer = await engine.call(
        "POST",
        f"/containers/{container.id}/exec",
        body=await whole_body(request),
        headers={"Content-Type": request.headers.get("Content-Type", "application/json")},
        version=await engine_version(request, engine),
    )
    try:
        id_ = msgspec.json.decode(answer, type=_Created).id
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise EngineProtocolError(f"node {container.node}: unreadable answer to exec: {error}") from None
    plugin_of(request).execs.put(id_, container.node)
    return web.Response(status=201, body=answer, content_type="application/json")


async def start(request: web.Request) -> web.StreamResponse:
    """Run it: detached, or on this connection."""
    engine, path = await find_exec(request)
    body = await whole_body(request)
    wanted = await decode_body(request, _Start) if body else _Start()
    if wanted.detach:
        return await forward(request, engine, f"{path}/start", body=body)
    return await tunnel(request, engine, f"{path}/start", body=body)


async def inspect(request: web.Request) -> web.StreamResponse:
    """How it stands."""
    engine, path = await find_exec(request)
    return await forward(request, engine, f"{path}/json", timeout=engine.read_timeout)


async def resize(request: web.Request) -> web.StreamResponse:
    """Tell the size of its terminal."""
    engine, path = await find_exec(request)
    return await forward(request, engine, f"{path}/resize")


async def find_exec(request: web.Request) -> tuple[Engine, str]:
    """The engine that runs the exec that the path names, and its path there. Raises NotFoundError."""
    agent, known = agent_of(request), plugin_of(request).execs
    id_ = request.match_info["id"]
    path = f"/exec/{quote(id_, safe='')}"
    node = known.get(id_)
    if node is None:

        async def ask(node: str, engine: Engine) -> bytes:
            return await engine.call("GET", f"{path}/json")

        found = await first_answer(agent, healthy_nodes(agent), ask, timeout=_ASK_SECONDS)
        if found is None:
            raise NotFoundError(f"No such exec instance: {id_}")
        node = found[0]
        known.put(id_, node)
    return healthy_engine(agent, node, f"exec {id_[:12]}"), path


ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/containers/{ref:.+}/exec", create),
    ("POST", "/exec/{id}/start", start),
    ("GET", "/exec/{id}/json", inspect),
    ("POST", "/exec/{id}/resize", resize),
]
