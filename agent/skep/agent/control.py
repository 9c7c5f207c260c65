"""The agent's own HTTP server, as the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from skep.errors import SettingsError

if TYPE_CHECKING:
    from skep.agent.agent import Agent
    from skep.http import HttpServer, ServerTLS
    from skep.settings import ServerTlsSettings

__all__ = ["control_server"]


def control_server(agent: Agent) -> HttpServer:
    """Make the server with the agent's routes and its plugins'; a plugin whose routes fail is left out. Raises SettingsError."""
    from aiohttp import web

    from skep.control import add_routes
    from skep.http import HttpServer

    settings = agent.settings.http
    app = web.Application()
    add_routes(app, agent)
    for _ in agent.plugins.contributions("add_routes", app.router):
        pass
    return HttpServer(app, settings.listen, tls=_server_tls(settings.tls), allow_insecure=settings.allow_insecure)


def _server_tls(tls: ServerTlsSettings | None) -> ServerTLS | None:
    from skep.http import ServerTLS

    if tls is None:
        return None
    if not (tls.cert and tls.key):
        raise SettingsError("http.tls: cert and key are missing: expected the paths of two PEM files")
    return ServerTLS(Path(tls.cert), Path(tls.key), Path(tls.ca) if tls.ca else None)
