"""BuildKit, as far as who speaks to whom: sessions, buildx's own connection, contexts that come by a request of their own.

Nothing is spoken of HTTP/2: what comes by a session or by buildx's connection goes back as it came.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from skep.http.hijack import take_over
from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.routing import Call, Reply, Routes, nothing

__all__ = ["CONTEXT", "context_of", "put_context", "routes"]

routes = Routes()

CONTEXT = "upload-request:"
"""Before a build's id: the request brings its context."""
_SECONDS = 5.0


def _meeting(call: Call, kind: str, id_: str) -> asyncio.Future[bytes]:
    """What two requests wait for, each for the other."""
    key = f"{kind} {id_}"
    return call.engine.state.meetings.setdefault(key, asyncio.get_running_loop().create_future())


@routes.add("POST", "/session")
async def session(call: Call) -> web.StreamResponse:
    """Give the connection to the build that names its id."""
    id_ = call.request.headers.get("X-Docker-Expose-Session-Uuid", "")
    if not id_:
        raise EngineError(400, "missing X-Docker-Expose-Session-Uuid")
    meeting = _meeting(call, "session", id_)
    if not meeting.done():
        meeting.set_result(b"")
    return await _repeat(call)


@routes.add("POST", "/grpc")
async def grpc(call: Call) -> web.StreamResponse:
    """The same for buildx itself."""
    return await _repeat(call)


async def _repeat(call: Call) -> web.StreamResponse:
    """Take the connection over, and say again what is said."""
    if call.request.headers.get("Upgrade", "") != "h2c":
        raise EngineError(500, "no upgrade proto in request")
    await call.request.read()
    connection = take_over(call.request, headers={"Connection": "Upgrade", "Upgrade": "h2c"})
    try:
        while data := await connection.reader.read(65536):
            connection.writer.write(data)
            await connection.writer.drain()
    except ConnectionError:
        pass  # the client vanished
    return connection


@routes.add("POST", "/build/cancel")
async def cancel(call: Call) -> Reply:
    """Nothing here takes so long; but a build that was never heard of is an error."""
    id_ = call.text("id")
    if f"build {id_}" not in call.engine.state.meetings:
        raise EngineError(404, f"no build job found for {id_}")
    return nothing(200)


async def put_context(call: Call, id_: str) -> Reply:
    """The request that brings a build's context; answered when that is taken."""
    _meeting(call, "context", id_).set_result(await call.request.read())
    return nothing(200)


async def context_of(call: Call) -> bytes:
    """The context of a build by BuildKit, b"" where its session has it. Raises EngineError where nobody brings it within 5 s."""
    id_, session_id = call.text("buildid"), call.text("session")
    _meeting(call, "build", id_)
    try:
        async with asyncio.timeout(_SECONDS):
            if session_id:
                await asyncio.shield(_meeting(call, "session", session_id))
            if call.text("remote") == "upload-request":
                return await asyncio.shield(_meeting(call, "context", id_))
    except TimeoutError:
        raise EngineError(500, f"no active session for {session_id}: context deadline exceeded") from None
    return b""
