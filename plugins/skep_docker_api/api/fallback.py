"""All other paths: what addresses a container goes to its engine; the rest is not there, or not of a cluster like this."""

from __future__ import annotations

from aiohttp import web

from skep import NotFoundError, RequestError
from skep_docker_api.container_calls import pass_unknown
from skep_docker_api.routing import Handler

__all__ = ["ROUTES"]

_NOT_HERE = ("swarm", "services", "tasks", "nodes", "secrets", "configs", "plugins")


async def page_not_found(request: web.Request) -> web.StreamResponse:
    """As engines say it."""
    raise NotFoundError("page not found")


async def not_here(request: web.Request) -> web.StreamResponse:
    """Swarm mode and plugins of engines: they are one engine's own."""
    raise RequestError(
        # "not supported" is what `docker inspect NAME` looks for, to go on with other kinds of object
        "swarm mode and engine plugins are not supported here: this is one endpoint over single engines; ask an engine itself",
        status=501,
    )


ROUTES: list[tuple[str, str, Handler]] = [
    ("*", "/containers/{path:.+}", pass_unknown),
    ("PUT", "/volumes/{name:.+}", not_here),
    *(("*", f"/{subject}{rest}", not_here) for subject in _NOT_HERE for rest in ("", "/{rest:.*}")),
    ("*", "/{path:.*}", page_not_found),
]
