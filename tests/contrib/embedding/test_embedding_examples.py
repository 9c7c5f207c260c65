"""The examples of embedding, run."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from contrib.embedding.aiohttp_app import application
from contrib.embedding.asgi_app import Application
from skep import SettingsError, parse_settings
from skep.testing import EmbeddedEngine, wait_for

WRONG = parse_settings({"cluster": {"discovery": "nowhere://"}})


async def test_aiohttp() -> None:
    async with EmbeddedEngine("n1") as engine:
        engine.run("web", "nginx")
        settings = parse_settings({"cluster": {"engines": [engine.url]}})
        async with TestClient(TestServer(application(settings))) as client:
            async with client.get("/state") as answer:
                assert await answer.json() == {"nodes": {"n1": "healthy"}, "containers": {"n1/web": "running"}}
            async with client.get("/events") as answer:
                engine.kill("web")
                told = json.loads(await asyncio.wait_for(answer.content.readline(), 5))
                assert told == {"event": "container_died", "node": "n1", "container": "web"}


async def test_aiohttp_does_not_start_without_its_agent() -> None:
    with pytest.raises(SettingsError, match="nowhere"):
        await TestServer(application(WRONG)).start_server()


class Server:
    """As much of an ASGI server as the example needs."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.lifespan_in: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.lifespan_out: list[dict[str, Any]] = []

    async def run(self) -> None:
        async def send(message: Any) -> None:
            self.lifespan_out.append(message)

        self.lifespan_in.put_nowait({"type": "lifespan.startup"})
        await self.app({"type": "lifespan"}, self.lifespan_in.get, send)

    def get(self, path: str) -> tuple[asyncio.Task[None], asyncio.Queue[dict[str, Any]], list[dict[str, Any]]]:
        requests: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        answers: list[dict[str, Any]] = []

        async def send(message: Any) -> None:
            answers.append(message)

        task = asyncio.create_task(self.app({"type": "http", "path": path}, requests.get, send))
        return task, requests, answers


async def test_asgi() -> None:
    async with EmbeddedEngine("n1") as engine:
        engine.run("web", "nginx")
        server = Server(Application(parse_settings({"cluster": {"engines": [engine.url]}})))
        running = asyncio.create_task(server.run())
        await wait_for(lambda: server.lifespan_out == [{"type": "lifespan.startup.complete"}])
        task, _, answers = server.get("/state")
        await task
        assert json.loads(answers[1]["body"]) == {"nodes": {"n1": "healthy"}, "containers": {"n1/web": "running"}}
        task, requests, answers = server.get("/events")
        await wait_for(lambda: answers)
        engine.kill("web")
        await wait_for(lambda: len(answers) == 2)
        assert json.loads(answers[1]["body"]) == {"event": "container_died", "node": "n1", "container": "web"}
        requests.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(task, 5)
        task, _, answers = server.get("/elsewhere")
        await task
        assert answers[0]["status"] == 404
        task, _, answers = server.get("/events")  # ends with the agent
        server.lifespan_in.put_nowait({"type": "lifespan.shutdown"})
        await asyncio.wait_for(running, 5)
        await asyncio.wait_for(task, 5)
        assert server.lifespan_out[-1] == {"type": "lifespan.shutdown.complete"}


async def test_asgi_tells_the_server_what_keeps_it_from_starting() -> None:
    server = Server(Application(WRONG))
    await server.run()
    assert server.lifespan_out[0]["type"] == "lifespan.startup.failed"
    assert "nowhere" in server.lifespan_out[0]["message"]
