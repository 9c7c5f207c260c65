from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import web
from blockbuster import BlockBuster, blockbuster_ctx

from skep.http import HttpServer, error_middleware

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[..., Awaitable[HttpServer]]


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[BlockBuster]:
    with blockbuster_ctx("skep") as blockbuster:
        yield blockbuster


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves one handler, for any path, on a free port (or as told); stopped after the test."""
    servers: list[HttpServer] = []

    async def start(handler: Handler, *listen: str, **options: object) -> HttpServer:
        app = web.Application(middlewares=[error_middleware])
        app.router.add_route("*", "/{path:.*}", handler)
        options.setdefault("shutdown_timeout", 0.2)
        server = HttpServer(app, listen or ["127.0.0.1:0"], **options)  # type: ignore[arg-type]
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
def connect() -> Callable[[HttpServer], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    """A plain connection to a server's first address."""

    async def connect(server: HttpServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        url = server.urls[0]
        if url.startswith("unix://"):
            return await asyncio.open_unix_connection(url.removeprefix("unix://"))
        host, _, port = url.removeprefix("tcp://").rpartition(":")
        return await asyncio.open_connection(host.strip("[]"), int(port))

    return connect
