"""From a request's path to the function that answers it."""

from __future__ import annotations

import importlib
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from skep import error_middleware

if TYPE_CHECKING:
    from skep_docker_api.plugin import DockerApiPlugin

__all__ = ["Handler", "application", "plugin_of"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_SUBJECTS = ("containers", "execs", "images", "networks", "streams", "system", "volumes")
_PLUGIN: web.AppKey[DockerApiPlugin] = web.AppKey("plugin")


def plugin_of(request: web.Request) -> DockerApiPlugin:
    """The plugin that serves a request; its `agent` knows the rest."""
    return request.app[_PLUGIN]


def application(plugin: DockerApiPlugin) -> web.Application:
    """All routes, each bare and under a version (``/v1.41/…``).

    Each module of `api` has a list `ROUTES` of (method, path, handler); the paths are aiohttp's, without a version.
    """
    app = web.Application(middlewares=[error_middleware], client_max_size=2**24)
    app[_PLUGIN] = plugin
    for subject in _SUBJECTS:
        module = importlib.import_module(f"skep_docker_api.api.{subject}")
        for method, path, handler in module.ROUTES:
            for prefix in ("", r"/v{version:\d+\.\d+}"):
                app.router.add_route(method, prefix + path, handler)
    return app


VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
