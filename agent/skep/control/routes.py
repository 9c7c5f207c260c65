"""The routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from skep._version import __version__
from skep.control.decisions import add_decision_routes
from skep.control.metrics import exposition
from skep.control.views import container_view, event_view, node_view
from skep.errors import RequestError
from skep.http import error_middleware, refuse_browsers

if TYPE_CHECKING:
    from skep.agent import Agent
    from skep.agent.listening import EventStream

__all__ = ["add_routes"]


def add_routes(app: web.Application, agent: Agent) -> None:
    """Add the agent's own routes, and refuse browsers on every route of `app`.

    `GET /health /metrics /nodes /containers /plugins /events /decisions`, `POST /explain`. Errors are answered as JSON with a `message`.
    """
    if error_middleware not in app.middlewares:
        app.middlewares.insert(0, error_middleware)
    guard = refuse_browsers(agent.settings.http.hosts, "http.hosts")
    app.middlewares.insert(app.middlewares.index(error_middleware) + 1, guard)
    control = _Control(agent)
    app.on_shutdown.append(control.end_streams)
    app.router.add_get("/health", control.health)
    app.router.add_get("/metrics", control.metrics)
    app.router.add_get("/nodes", control.nodes)
    app.router.add_get("/containers", control.containers)
    app.router.add_get("/plugins", control.plugins)
    app.router.add_get("/events", control.events)
    add_decision_routes(app.router, agent)


class _Control:
    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._streams: set[EventStream] = set()

    async def health(self, request: web.Request) -> web.Response:
        """200 where every node is healthy and every plugin works, else 503."""
        nodes = self._agent.cluster.state.nodes
        unhealthy = [state.name for state in nodes if not state.node.is_healthy]
        rows = self._agent.plugins.report()
        broken = {row["name"]: row["error"] for row in rows if row["status"] in ("broken", "benched")}
        well = not unhealthy and not broken
        answer = {
            "healthy": well,
            "version": __version__,
            "nodes": {"total": len(nodes), "healthy": len(nodes) - len(unhealthy), "unhealthy": unhealthy[:100]},
            "broken_plugins": broken,
        }
        return _json(answer, status=200 if well else 503)

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus' text format."""
        return web.Response(
            text=await exposition(self._agent), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    async def nodes(self, request: web.Request) -> web.Response:
        """All nodes, in the natural order of their names."""
        overcommit = self._agent.settings.cluster.overcommit
        return _json([node_view(state, overcommit) for state in self._agent.cluster.state.nodes])

    async def containers(self, request: web.Request) -> web.Response:
        """Containers that are up; `?all=true`: those of any state."""
        every = _flag(request, "all")
        found = self._agent.cluster.state.containers()
        return _json([container_view(each) for each in found if every or each.state.is_up])

    async def plugins(self, request: web.Request) -> web.Response:
        """What became of each plugin of the settings, with its counters."""
        return _json(self._agent.plugins.report())

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Every lifecycle event from now on, one JSON object a line."""
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        events = self._agent.events()
        self._streams.add(events)
        try:
            await response.prepare(request)
            async for event in events:
                await response.write(msgspec.json.encode(event_view(event)) + b"\n")
        finally:
            self._streams.discard(events)
            await events.aclose()
        return response

    async def end_streams(self, app: web.Application) -> None:
        """End what would never end by itself, so that the server can stop."""
        for events in list(self._streams):
            await events.aclose()


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def _flag(request: web.Request, name: str) -> bool:
    text = request.query.get(name, "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise RequestError(f"{name}={text}: expected true or false")
    return text in ("true", "1")
