"""An agent in an aiohttp application: it starts and stops with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from aiohttp import web

from skep import Agent, ContainerEvent, LifecycleEvent, Lost, Settings, load_settings

AGENT = web.AppKey("agent", Agent)


def application(settings: Settings) -> web.Application:
    """The application, with an agent of these settings."""

    async def lifetime(app: web.Application) -> AsyncIterator[None]:
        async with Agent(settings) as agent:  # what keeps it from starting keeps the application from starting
            app[AGENT] = agent
            yield

    app = web.Application()
    app.cleanup_ctx.append(lifetime)
    app.router.add_get("/state", state)
    app.router.add_get("/events", events)
    return app


async def state(request: web.Request) -> web.Response:
    """Nodes and containers, from memory: no engine is asked."""
    known = request.app[AGENT].cluster.state
    return web.json_response(
        {
            "nodes": {node.name: str(node.node.status) for node in known.nodes},
            "containers": {f"{each.node}/{each.name}": str(each.state) for each in known.containers()},
        }
    )


async def events(request: web.Request) -> web.StreamResponse:
    """Every lifecycle event from now on, one JSON object a line."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    stream = request.app[AGENT].events()
    await response.prepare(request)
    async for event in stream:
        await response.write(json.dumps(line(event)).encode() + b"\n")
    return response


def line(event: LifecycleEvent | Lost) -> dict[str, object]:
    """An event as data."""
    if isinstance(event, Lost):
        return {"lost": event.count}
    container = event.container.name if isinstance(event, ContainerEvent) else None
    return {"event": event.hook, "node": event.node.name, "container": container}


if __name__ == "__main__":
    web.run_app(application(load_settings()), host="127.0.0.1", port=8080)
