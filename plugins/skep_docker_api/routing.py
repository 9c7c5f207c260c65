"""From a request's path to the function that answers it."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from skep import Agent, error_middleware, refuse_browsers
from skep_docker_api.limits import limit_requests

if TYPE_CHECKING:
    from skep_docker_api.plugin import DockerApiPlugin

__all__ = ["ANSWERED", "Handler", "agent_of", "application", "plugin_of"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ANSWERED: web.RequestKey[int] = web.RequestKey("answered", int)
"""The status of the answer that a request got, once its head was sent."""
_SUBJECTS = (
    "prunes", "containers", "execs", "streams", "build", "buildkit", "events", "transfer", "images", "networks", "system", "volumes", "fallback"
)  # fmt: skip
_PLUGIN: web.AppKey[DockerApiPlugin] = web.AppKey("plugin")
_TUNNELLED = ("docker", "api.moby.localhost")
"""What docker's clients call a unix socket; they say it through tunnels from such a socket to here too."""
_LARGEST_BODY = 2**22
"""Bytes of a body that is held in memory; those that are passed through have no limit."""


def plugin_of(request: web.Request) -> DockerApiPlugin:
    """The plugin that serves a request."""
    return request.app[_PLUGIN]


def agent_of(request: web.Request) -> Agent:
    """The agent whose cluster a request is about."""
    return request.app[_PLUGIN].agent


async def _introduce(request: web.Request, response: web.StreamResponse) -> None:
    """Say in every answer which versions are spoken here, whatever the engine behind it said."""
    request[ANSWERED] = response.status
    response.headers.update(plugin_of(request).server_headers())
    if response.headers.get("Content-Type") == "":
        del response.headers["Content-Type"]  # the engine's answer had none


def application(plugin: DockerApiPlugin) -> web.Application:
    """All routes, each bare and under a version (`/v1.41/…`).

    Each module of `api` has a list `ROUTES` of (method, path, handler); the paths are aiohttp's, without a version. Of several
    that fit a request, the first answers.
    """
    guard = refuse_browsers({*_TUNNELLED, *plugin.settings.hosts}, f"plugins.{plugin.name}.hosts")
    limit = limit_requests(plugin.settings.max_requests, f"plugins.{plugin.name}.max_requests")
    authorise = importlib.import_module(
        "skep_docker_api.authorising"
    ).authorise  # it finds the plugin through this module
    app = web.Application(middlewares=[error_middleware, guard, limit, authorise], client_max_size=_LARGEST_BODY)
    app[_PLUGIN] = plugin
    app.on_response_prepare.append(_introduce)
    for subject in _SUBJECTS:
        module = importlib.import_module(f"skep_docker_api.api.{subject}")
        for method, path, handler in module.ROUTES:
            for prefix in ("", r"/v{version:[0-9]{1,4}\.[0-9]{1,4}}"):
                app.router.add_route(method, prefix + path, handler)
    return app
