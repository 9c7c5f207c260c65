"""Calls about one container: to its node's engine, and where they change it, known to the cluster before the client hears of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from urllib.parse import quote, unquote

from aiohttp import web

from skep import Agent, Container, ContainerStopping, Engine, NotFoundError, SkepError
from skep_docker_api.forward import OnAnswer, forward, tunnel
from skep_docker_api.lookups import find_container
from skep_docker_api.nodes import healthy_engine
from skep_docker_api.queries import flag
from skep_docker_api.routing import Handler, agent_of
from skep_docker_api.status import is_running

__all__ = [
    "changing",
    "client_of",
    "container_of",
    "engine_of",
    "pass_unknown",
    "passing",
    "refresh",
    "refresh_all",
    "refreshing",
    "remove",
    "stopping",
    "tunnelling",
]

_REFRESH_SECONDS = 5.0
# By these a process ends unless it chooses otherwise; others, such as HUP and USR1, speak to it.
_ENDING = frozenset(("", "ABRT", "INT", "KILL", "QUIT", "TERM", "2", "3", "6", "9", "15"))


def container_of(request: web.Request) -> Container:
    """The container that the path names. Raises as `find_container`."""
    return find_container(agent_of(request).cluster.state, request.match_info["ref"])


def engine_of(request: web.Request, container: Container) -> Engine:
    """The engine of a container's node. Raises TemporaryError (503), at once, where it does not answer."""
    return healthy_engine(agent_of(request), container.node, f"container {container.name or container.short_id}")


def client_of(request: web.Request) -> str:
    """Who asks: the common name of a client's certificate, else its address; "" for unix sockets."""
    certificate = request.get_extra_info("peercert") or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return names[0] if names else request.remote or ""


async def refresh(agent: Agent, node: str, id_: str) -> None:
    """Have the cluster know how a container is now; a node that does not tell in time is left to its watcher."""
    with contextlib.suppress(SkepError, TimeoutError):
        async with asyncio.timeout(_REFRESH_SECONDS):
            await agent.cluster.refresh_container(node, id_)


async def refresh_all(agent: Agent, node: str, ids: Iterable[str]) -> None:
    """`refresh` of several containers, eight at a time."""
    limit = asyncio.Semaphore(8)

    async def one(id_: str) -> None:
        async with limit:
            await refresh(agent, node, id_)

    async with asyncio.TaskGroup() as group:
        for id_ in ids:
            group.create_task(one(id_), name=f"refresh {id_[:12]}")


def refreshing(request: web.Request, container: Container) -> OnAnswer:
    """For `forward`: refresh the container, before the client is told."""

    async def on_answer(status: int) -> None:
        await refresh(agent_of(request), container.node, container.id)

    return on_answer


def passing(action: str) -> Handler:
    """A handler that passes `/containers/{ref}/ACTION` through and changes nothing."""

    async def handler(request: web.Request) -> web.StreamResponse:
        container = container_of(request)
        return await forward(request, engine_of(request, container), f"/containers/{container.id}/{action}")

    return handler


def tunnelling(action: str) -> Handler:
    """A handler for a connection that is taken over from `/containers/{ref}/ACTION`."""

    async def handler(request: web.Request) -> web.StreamResponse:
        container = container_of(request)
        return await tunnel(request, engine_of(request, container), f"/containers/{container.id}/{action}")

    return handler


def changing(action: str) -> Handler:
    """A handler that passes `/containers/{ref}/ACTION` through and refreshes the container."""

    async def handler(request: web.Request) -> web.StreamResponse:
        container = container_of(request)
        engine = engine_of(request, container)
        path = f"/containers/{container.id}/{action}"
        async with agent_of(request).pending.on(container.node, f"{action} {container.name}"):
            return await forward(request, engine, path, on_answer=refreshing(request, container))

    return handler


def stopping(action: str) -> Handler:
    """As `changing`, for what may end the container's process: plugins are asked before."""
    passed_on = changing(action)

    async def handler(request: web.Request) -> web.StreamResponse:
        container = container_of(request)
        engine_of(request, container)
        if is_running(container) and (action != "kill" or _ends(request.query.get("signal", ""))):
            await ask_stopping(request, container, action)
        return await passed_on(request)

    return handler


async def ask_stopping(request: web.Request, container: Container, action: str) -> None:
    """Let plugins prepare for the end of a container, or refuse it (RequestError)."""
    await agent_of(request).plugins.ask("container_stopping", ContainerStopping(container, action, client_of(request)))


async def remove(request: web.Request) -> web.StreamResponse:
    """Remove a container, or with `link` only the name by which another one knows it."""
    try:
        container = container_of(request)
    except NotFoundError:
        if "/" in request.match_info["ref"]:
            return await pass_unknown(request)
        raise
    engine = engine_of(request, container)
    path = f"/containers/{container.id}"
    if flag(request, "link"):
        path = "/containers/" + quote("/".join(request.match_info["ref"].strip("/").split("/")[-2:]))
    elif is_running(container) and flag(request, "force"):
        await ask_stopping(request, container, "remove")
    async with agent_of(request).pending.on(container.node, f"remove {container.name}"):
        return await forward(request, engine, path, on_answer=refreshing(request, container))


async def pass_unknown(request: web.Request) -> web.StreamResponse:
    """Pass on what engines of other versions may know of a container, which is replaced by its id; all else goes as it came."""
    state, segments = agent_of(request).cluster.state, request.rel_url.raw_path.partition("/containers/")[2].split("/")
    if len(segments) < 2:
        raise NotFoundError("page not found")
    try:
        container, rest = find_container(state, unquote(segments[0])), segments[1:]
    except NotFoundError:
        if len(segments) == 2:
            raise
        container, rest = find_container(state, unquote("/".join(segments[:2]))), segments[2:]
    engine, path = engine_of(request, container), "/".join(["/containers", container.id, *rest])
    if "Upgrade" in request.headers:
        return await tunnel(request, engine, path)
    changes = request.method not in ("GET", "HEAD")
    return await forward(request, engine, path, on_end=refreshing(request, container) if changes else None)


def _ends(signal: str) -> bool:
    return signal.upper().removeprefix("SIG") in _ENDING
