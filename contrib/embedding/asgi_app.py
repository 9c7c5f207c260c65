"""An agent in any ASGI server, by the lifespan protocol: `uvicorn asgi_app:app`. No framework is needed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from skep import Agent, ContainerEvent, Lost, Settings, load_settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Application:
    """An ASGI application with an agent; `settings` are read when it starts, unless they are given."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings
        self.agent: Agent | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """What the server calls for its lifespan, and for each request."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"] == "/state":
            await self._state(send)
        elif scope["type"] == "http" and scope["path"] == "/events":
            await self._events(receive, send)
        else:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        try:
            async with Agent(self.settings or load_settings()) as self.agent:
                await send({"type": "lifespan.startup.complete"})
                await receive()  # lifespan.shutdown
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    async def _state(self, send: Send) -> None:
        assert self.agent is not None
        state = self.agent.cluster.state
        nodes = {node.name: str(node.node.status) for node in state.nodes}
        containers = {f"{each.node}/{each.name}": str(each.state) for each in state.containers()}
        await _start(send, b"application/json")
        body = json.dumps({"nodes": nodes, "containers": containers}).encode()
        await send({"type": "http.response.body", "body": body})

    async def _events(self, receive: Receive, send: Send) -> None:
        assert self.agent is not None
        stream = self.agent.events()
        await _start(send, b"application/x-ndjson")
        gone = asyncio.create_task(_gone(receive))
        gone.add_done_callback(lambda _: stream.close())
        try:
            async for event in stream:
                if isinstance(event, Lost):
                    told: dict[str, object] = {"lost": event.count}
                else:
                    name = event.container.name if isinstance(event, ContainerEvent) else None
                    told = {"event": event.hook, "node": event.node.name, "container": name}
                body = json.dumps(told).encode() + b"\n"
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()


async def _start(send: Send, kind: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})


async def _gone(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


app = Application()
