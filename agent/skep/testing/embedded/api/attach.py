"""`attach` and `wait`: what `docker run` hangs on."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import web

from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.lifecycle import Lifecycle
from skep.testing.embedded.output import STDERR, STDOUT
from skep.testing.embedded.routing import Call, Reply, Routes
from skep.testing.embedded.state import Container, Json
from skep.testing.embedded.streams import RAW_STREAM, connect, converse

from .containers import named

routes = Routes()


class _Stdin:
    """The container's standard input: what comes before the container starts is kept for its process."""

    def __init__(self, lifecycle: Lifecycle, container: Container) -> None:
        self._lifecycle = lifecycle
        self._container = container
        self._once = bool(container.config.get("StdinOnce")) and not container.config.get("Tty")

    def feed(self, data: bytes) -> None:
        self._lifecycle.feed(self._container, data)

    def eof(self) -> None:
        if self._once:
            self._lifecycle.feed(self._container, b"")


@routes.add("POST", "/containers/{name}/attach")
async def attach(call: Call) -> Reply | web.StreamResponse:
    """Connect to the container's streams, until it ends. Errors are plain text, as with a real engine."""
    try:
        container = named(call)
        if container.status in ("paused", "restarting"):
            hint = "unpause the container" if container.status == "paused" else "wait until the container is running"
            text = f"container {call.names['name']} is {container.status}, {hint} before attach"
            raise EngineError(409, text)
    except EngineError as error:
        return Reply(error.status, f"{error.message}\r\n".encode(), RAW_STREAM)
    streams = {number for number, name in ((STDOUT, "stdout"), (STDERR, "stderr")) if call.flag(name)}
    stdin = call.flag("stdin") and container.config.get("OpenStdin")
    tty = bool(container.config.get("Tty"))
    output = call.engine.lifecycle.output(container)
    follow = output.follow(output.count - len(output.chunks) if call.flag("logs") else None)
    call.engine.state.emit_container(container, "attach")
    connection = connect(call, tty=tty)
    if not call.flag("stream"):
        return connection
    return await converse(
        connection,
        follow,
        tty=tty,
        wanted=lambda chunk: chunk.stream in streams,
        feed=_Stdin(call.engine.lifecycle, container) if stdin else None,
    )


@routes.add("POST", "/containers/{name}/wait")
async def wait(call: Call) -> web.StreamResponse:
    """Answer when the container stopped, stops next, or is removed. The headers go at once."""
    container = named(call)
    condition = call.text("condition") or "not-running"
    waiter: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    if condition == "removed":
        container.removal_waiters.append(waiter)
    elif condition == "next-exit" or container.running:
        container.exit_waiters.append(waiter)
    else:
        waiter.set_result(container.exit_code)
    response = web.StreamResponse(headers={**call.engine.headers(), "Content-Type": "application/json"})
    await response.prepare(call.request)
    code = await waiter
    error: Json | None = {"Message": container.error} if container.error else None
    await response.write(msgspec.json.encode({"Error": error, "StatusCode": code}) + b"\n")
    return response
