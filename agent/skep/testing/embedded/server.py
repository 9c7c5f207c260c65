"""Serves an embedded engine over HTTP: versions, routes, faults, the shape of errors."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
import ssl
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
from aiohttp import web

from skep.engine.tls_transport import TLSTransport
from skep.http.hijack import take_over

from .api import ROUTES
from .errors import EngineError
from .faults import Fault, Raw
from .routing import Call, Reply

if TYPE_CHECKING:
    from .engine import EmbeddedEngine

_VERSIONED = re.compile(r"/v(\d+)\.(\d+)(/.*)")


_LARGEST_BODY = 2**30
"""Bytes; build contexts and saved images are held in memory."""


def _request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)


class _Elsewhere(Exception):
    """The path is to be written without doubled slashes."""


class Server:
    """Listens on one address, and answers from one engine."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine
        self._listener: asyncio.Server | None = None
        self._http: web.Server | None = None
        self._socket: Path | None = None
        self._handshakes: set[TLSTransport] = set()
        self._calls: set[asyncio.Task[object]] = set()

    async def listen(self, address: str, tls: ssl.SSLContext | None) -> str:
        """Serve on ``unix:///path`` or ``tcp://host:port``; returns the address with the port chosen.

        TLS is for tcp only.
        """
        loop = asyncio.get_running_loop()
        self._http = web.Server(self._handle, request_factory=_request, handler_cancellation=True, access_log=None)
        scheme, _, rest = address.partition("://")
        if scheme == "unix":
            self._socket = Path(rest)
            await _clear(self._socket)
            self._listener = await loop.create_unix_server(self._http, rest)
            return address
        host, _, port = rest.rpartition(":")
        factory = self._http if tls is None else partial(self._secured, self._http, tls)
        self._listener = await loop.create_server(factory, host, int(port), reuse_address=True)
        return f"tcp://{host}:{self._listener.sockets[0].getsockname()[1]}"

    def _secured(self, http: web.Server, tls: ssl.SSLContext) -> TLSTransport:
        """A TLS connection that can be half-closed, as the docker CLI does at once with every `exec`."""
        transport = TLSTransport(http(), tls, server_side=True)
        self._handshakes.add(transport)
        transport.handshake.add_done_callback(lambda _: self._handshakes.discard(transport))
        return transport

    async def close(self) -> None:
        """Stop listening, drop every connection."""
        if self._listener is None or self._http is None:
            return
        self._listener.close()
        for handshake in list(self._handshakes):
            handshake.abort()
        for connection in self._http.connections:
            connection.force_close()
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls)
        await self._http.shutdown(1)
        if self._socket is not None:
            await asyncio.to_thread(self._socket.unlink, missing_ok=True)
        self._listener = self._http = None

    async def _handle(self, base: web.BaseRequest) -> web.StreamResponse:
        # The bare server makes the base class, which has all that is asked of a request here.
        request = cast("web.Request", base)
        task = asyncio.current_task()
        if task is not None:
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        try:
            version, path = self._version(request.path)
            faults = self._engine.faults.met(request.method, path)
            reply = await self._answer(request, version, path, faults)
        except EngineError as error:
            faults, reply = [], _error(error)
        except _Elsewhere as clean:
            faults, reply = [], Reply(301, headers={"Location": str(clean)})
        if isinstance(reply, web.StreamResponse):
            return reply
        for fault in faults:
            reply = fault.change(reply)
            if raw := fault.raw(reply):
                return await self._write_raw(request, reply, raw)
        return self._response(reply)

    async def _answer(
        self, request: web.Request, version: tuple[int, int], path: str, faults: list[Fault]
    ) -> Reply | web.StreamResponse:
        call = Call(self._engine, request, version, path, {})
        for fault in faults:
            if early := await fault.before(call):
                return early
        try:
            handler, call.names = ROUTES.find(request.method, path)
            return await handler(call)
        except EngineError as error:
            return _error(error)

    def _version(self, path: str) -> tuple[tuple[int, int], str]:
        if "//" in path:
            raise _Elsewhere(re.sub("/+", "/", path))
        match = _VERSIONED.fullmatch(path)
        newest = number(self._engine.api_version)
        if not match:
            return newest, path
        version = (int(match[1]), int(match[2]))
        asked = f"{match[1]}.{match[2]}"
        if version > newest:
            supported = f"Maximum supported API version is {self._engine.api_version}"
            raise EngineError(400, f"client version {asked} is too new. {supported}")
        if version < number(self._engine.min_api_version):
            supported = f"Minimum supported API version is {self._engine.min_api_version}"
            upgrade = "please upgrade your client to a newer version"
            raise EngineError(400, f"client version {asked} is too old. {supported}, {upgrade}")
        return version, match[3]

    def _response(self, reply: Reply) -> web.Response:
        headers = {**self._engine.headers(), **reply.headers}
        if reply.body or reply.status not in (204, 304):
            headers["Content-Type"] = reply.content_type
        return web.Response(status=reply.status, body=reply.body, headers=headers)

    async def _write_raw(self, request: web.Request, reply: Reply, raw: Raw) -> web.StreamResponse:
        """Send what a well-behaved server would never send, then close."""
        phrase = HTTPStatus(reply.status).phrase
        headers = {
            "Content-Type": reply.content_type,
            "Content-Length": str(raw.length),
            **self._engine.headers(),
        }
        connection = take_over(request, status=reply.status, reason=phrase, headers=headers)
        with contextlib.suppress(ConnectionError):
            for piece in raw.pieces:
                connection.writer.write(piece)
                await connection.writer.drain()
        return connection


def number(version: str) -> tuple[int, int]:
    """``1.41`` as (1, 41)."""
    major, _, minor = version.partition(".")
    return int(major), int(minor)


def _error(error: EngineError) -> Reply:
    return Reply(error.status, msgspec.json.encode({"message": error.message}) + b"\n")


async def _clear(path: Path) -> None:
    """Remove a socket that a dead process left. Raises OSError when somebody listens there."""
    if not await asyncio.to_thread(path.is_socket):
        return
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except ConnectionRefusedError:
        await asyncio.to_thread(path.unlink)
        return
    writer.close()
    await writer.wait_closed()
    raise OSError(errno.EADDRINUSE, f"another engine listens on {path}: choose another socket")
