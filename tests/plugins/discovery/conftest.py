"""A token service, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from skep import HttpServer, error_middleware
from skep_discovery.clusters import Clusters
from skep_discovery.service import TokenService

Serve = Callable[[web.Application], Awaitable[str]]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves an application on loopback: returns its `host:port`."""
    servers: list[HttpServer] = []

    async def start(app: web.Application) -> str:
        server = HttpServer(app, ["tcp://127.0.0.1:0"], shutdown_timeout=1)
        await server.start()
        servers.append(server)
        return server.urls[0].removeprefix("tcp://")

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
def clusters(clock: Clock) -> Clusters:
    return Clusters(most_clusters=3, most_members=3, clock=clock)


@pytest.fixture
async def place(serve: Serve, clusters: Clusters) -> str:
    """`host:port` of a token service on `clusters`."""
    app = web.Application(middlewares=[error_middleware])
    TokenService(clusters).add_routes(app.router)
    return await serve(app)
