"""An HTTP server for an aiohttp application on any number of addresses."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from skep.engine.address import Address
from skep.engine.tls_transport import TLSTransport
from skep.http.doorman import Doorman
from skep.http.listen import Listener, bind
from skep.http.tls import ServerTLS

__all__ = ["HttpServer"]

_LONGEST_LINE = 2**16
"""Bytes of a request's line, and of each of its headers."""

_log = logging.getLogger(__name__)


def _tell_shortly(record: logging.LogRecord) -> bool:
    """What is not HTTP is a line at the level info: anyone who can connect could fill the log with aiohttp's tracebacks.

    Nor is anything said of clients that have gone, and of answers that were cut off: why was logged where it was known.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, ConnectionError):
        return False
    if isinstance(error, HttpProcessingError):
        record.levelno, record.levelname = logging.INFO, "INFO"
        record.msg = f"{record.getMessage()}: {' '.join(error.message.split())[:200]}"
        record.args = record.exc_info = None
    return record.levelno >= _log.getEffectiveLevel()


_log.addFilter(_tell_shortly)


class HttpServer:
    """Serves an aiohttp application on any number of addresses.

    listen: `unix:///path`, `tcp://host:port`, `host:port`, `:port`; port 0 takes a free one. A wrong one:
    SettingsError.
    tls: for the tcp addresses. unix_mode: permissions of unix sockets.
    allow_insecure: serve plain tcp to other machines too; refused otherwise, as whoever reaches a Docker API
    is root.
    idle_timeout: seconds that a client has for the head of its next request.
    max_connections: that one client, known by its IP address or its user, may have at a time; 0 is any number.
    shutdown_timeout: seconds that requests have to end in when the server stops.
    handler_cancellation: a handler is cancelled when its client goes away.

    `start` raises SettingsError saying what is in the way, and then listens nowhere.
    """

    def __init__(
        self,
        app: web.Application,
        listen: Sequence[str],
        *,
        tls: ServerTLS | None = None,
        unix_mode: int = 0o600,
        allow_insecure: bool = False,
        idle_timeout: float = 75.0,
        max_connections: int = 0,
        shutdown_timeout: float = 10.0,
        handler_cancellation: bool = True,
    ) -> None:
        self._addresses = [Address.parse_listen(text) for text in listen]
        self._tls = tls
        self._unix_mode = unix_mode
        self._doorman = Doorman(max_connections)
        self._plain_allowed = allow_insecure or tls is not None
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_log,
            handler_cancellation=handler_cancellation,
            keepalive_timeout=idle_timeout,
            # Bodies are handed on as they came; queries and credentials of builds are long.
            auto_decompress=False,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            # aiohttp waits as long twice: for handlers to end, and for them to notice that they should.
            shutdown_timeout=shutdown_timeout / 2,
        )
        self._listeners: list[Listener] = []
        self._servers: list[asyncio.Server] = []
        self._handshakes: set[TLSTransport] = set()

    @property
    def urls(self) -> list[str]:
        """Where it listens: `unix:///path`, `tcp://host:port` with the real port; empty before `start`."""
        return [listener.url for listener in self._listeners]

    async def start(self) -> None:
        """Bind all addresses, then serve them."""
        context = await self._tls.load() if self._tls is not None else None
        try:
            for address in self._addresses:
                self._listeners += await asyncio.to_thread(
                    bind, address, unix_mode=self._unix_mode, plain_allowed=self._plain_allowed
                )
            await self._runner.setup()
            for listener in self._listeners:
                await self._serve(listener, context if listener.path is None else None)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening, let requests end, cut off the rest. Stopping twice is harmless."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            await asyncio.to_thread(listener.remove_file)
        for server in self._servers:
            server.close()
        for transport in list(self._handshakes):
            transport.abort()
        try:
            await self._runner.cleanup()
        finally:
            for listener in listeners:
                listener.socket.close()

    async def _serve(self, listener: Listener, context: ssl.SSLContext | None) -> None:
        server = self._runner.server
        if server is None:
            raise RuntimeError("the server is not set up")

        def accept() -> asyncio.BaseProtocol:
            if context is None:
                return self._doorman.lead(server(), speaks=True)
            transport = TLSTransport(server(), context, server_side=True)
            self._handshakes.add(transport)
            transport.handshake.add_done_callback(lambda _: self._handshakes.discard(transport))
            return self._doorman.lead(transport, speaks=False)

        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(accept, sock=listener.socket))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
