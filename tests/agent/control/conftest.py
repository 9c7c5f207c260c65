"""An agent over embedded engines whose own routes are served."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from skep import Agent, HttpServer, Plugin, parse_settings
from skep.control import add_routes
from skep.testing import EmbeddedEngine

FILTERS = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist", "spread")


class Served:
    """The agent, its engines, and a client of its HTTP server."""

    def __init__(self, agent: Agent, engines: list[EmbeddedEngine], url: str, session: aiohttp.ClientSession) -> None:
        self.agent = agent
        self.engines = engines
        self.url = url
        self.session = session

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        async with self.session.request(method, self.url + path, **options) as response:
            is_json = response.content_type == "application/json"
            return response.status, await (response.json() if is_json else response.text())


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts one: `await serve(plugins=[…], hosts=[…])`."""
    async with AsyncExitStack() as stack:

        async def start(*plugins: type[Plugin], hosts: tuple[str, ...] = ()) -> Served:
            engines = [EmbeddedEngine("one", labels={"public": "yes"}), EmbeddedEngine("two")]
            for engine in engines:
                await stack.enter_async_context(engine)
            settings = parse_settings(
                {
                    "cluster": {"engines": [engine.url for engine in engines]},
                    "http": {"hosts": list(hosts)},
                    "plugins": {name: {} for name in FILTERS},
                }
            )
            agent = await stack.enter_async_context(Agent(settings, plugins=plugins))
            app = web.Application()
            add_routes(app, agent)
            server = HttpServer(app, ["tcp://127.0.0.1:0", f"unix://{tmp_path}/s"], shutdown_timeout=1)
            await stack.enter_async_context(server)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            return Served(agent, engines, server.urls[0].replace("tcp", "http"), session)

        yield start
