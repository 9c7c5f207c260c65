"""All other paths: what addresses a container goes to its engine; the rest is not there, or not of a cluster like this."""

from __future__ import annotations

from aiohttp import web

from skep import NotFoundError, RequestError
from skep_docker_api.container_calls import engine_of, refresh
from skep_docker_api.forward import forward, tunnel
from skep_docker_api.lookups import find_container
from skep_docker_api.routing import Handler, agent_of

__all__ = ["ROUTES"]

_NOT_HERE = ("swarm", "services", "tasks", "nodes", "secrets", "configs", "plugins")


async def unknown_of_container(request: web.Request) -> web.StreamResponse:
    """What engines of other versions may know: the container in the path is replaced by its id, all else goes as it came."""
    agent = agent_of(request)
    raw = request.rel_url.raw_path.rpartition("/containers/")[2].split("/")
    decoded = request.match_info["path"].split("/")
    if len(raw) < 2:
        raise NotFoundError("page not found")
    try:
        container, rest = find_container(agent.cluster.state, decoded[0]), raw[1:]
    except NotFoundError:
        if len(raw) < 3 or len(raw) != len(decoded):
            raise
        container, rest = find_container(agent.cluster.state, "/".join(decoded[:2])), raw[2:]
    engine, path = engine_of(request, container), "/".join(["/containers", container.id, *rest])
    if "Upgrade" in request.headers:
        return await tunnel(request, engine, path)

    async def on_end(status: int) -> None:
        await refresh(agent, container.node, container.id)

    return await forward(request, engine, path, on_end=None if request.method in ("GET", "HEAD") else on_end)


async def not_here(request: web.Request) -> web.StreamResponse:
    """Swarm mode and plugins of engines: they are one engine's own."""
    raise RequestError(
        # "not supported" is what `docker inspect NAME` looks for, to go on with other kinds of object
        "swarm mode and engine plugins are not supported here: this is one endpoint over single engines; ask an engine itself",
        status=501,
    )


async def page_not_found(request: web.Request) -> web.StreamResponse:
    """As engines say it."""
    raise NotFoundError("page not found")


ROUTES: list[tuple[str, str, Handler]] = [
    ("*", "/containers/{path:.+}", unknown_of_container),
    *(("*", f"/{subject}{rest}", not_here) for subject in _NOT_HERE for rest in ("", "/{rest:.*}")),
    ("*", "/{path:.*}", page_not_found),
]
