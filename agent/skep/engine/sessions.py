"""The two HTTP sessions with an engine: a small pool for calls, and connections without limit for streams."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from skep.engine.address import Address

__all__ = ["CALLS_AT_ONCE", "Sessions", "find_dead_peers"]

CALLS_AT_ONCE = 8
"""Connections that calls to one engine share; streams have their own."""

_CLOSING = 1.0  # seconds

_AUTO_HEADERS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


def find_dead_peers(sock: socket.socket, *, streams: bool = False) -> None:
    """Have a TCP connection end when its other side acknowledges neither probes nor data for 10 s.

    streams: only probes count. To Linux, a side that has stopped reading is dead after TCP_USER_TIMEOUT, though it acknowledges
    every probe; and the program behind an attached connection may stop reading for as long as it likes.
    """
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 3),
        ("TCP_KEEPINTVL", 2),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 0 if streams else 9_000),
    ):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


class _Resolver(AbstractResolver):
    """aiohttp's resolver with a deadline: a hanging name server costs a call no more than a dead engine."""

    def __init__(self, timeout: float) -> None:
        self._inner = ThreadedResolver()
        self._timeout = timeout

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._inner.resolve(host, port, family)
        except TimeoutError:
            raise OSError(None, f"looking up {host} took longer than {self._timeout:g} s") from None

    async def close(self) -> None:
        await self._inner.close()


class _NewestFirst(aiohttp.BaseConnector):
    """Takes the idle connection that was used last, so that those that were needed once, all at a time, end by being idle.

    aiohttp takes the oldest, and a ping now and then keeps all of them.
    """

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        super()._release(key, protocol, should_close=should_close)
        idle = self._conns.get(key)
        if idle and idle[-1][0] is protocol:
            idle.rotate(1)


class _Tcp(_NewestFirst, aiohttp.TCPConnector):
    pass


class _Unix(_NewestFirst, aiohttp.UnixConnector):
    pass


@dataclass(slots=True)
class Sessions:
    """Made within a running loop, closed with `close`."""

    address: Address
    context: ssl.SSLContext | None
    connect_timeout: float
    calls: aiohttp.ClientSession = field(init=False)
    streams: aiohttp.ClientSession = field(init=False)
    _sockets: list[socket.socket] = field(init=False, default_factory=list)
    _peer: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.calls = self._session(limit=CALLS_AT_ONCE)
        self.streams = self._session(limit=0, streams=True)

    @property
    def peer(self) -> str | None:
        """The IP address of a tcp engine, as last connected to."""
        for sock in reversed(self._sockets):
            # All but the one that won the race to connect are closed.
            with contextlib.suppress(OSError):
                self._peer = sock.getpeername()[0]
                break
        else:
            return self._peer
        self._sockets.clear()
        return self._peer

    async def close(self) -> None:
        """Close all connections. An engine that does not read what was sent to it is waited for no longer than a second."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await asyncio.gather(self.calls.close(), self.streams.close())

    def forget_names(self) -> None:
        """Look the engine's name up again for the next connection."""
        for session in (self.calls, self.streams):
            if isinstance(session.connector, aiohttp.TCPConnector):
                session.connector.clear_dns_cache()

    def _session(self, *, limit: int, streams: bool = False) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector(limit, streams=streams),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_AUTO_HEADERS,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(sock_connect=self.connect_timeout),
            read_bufsize=2**17,
            max_line_size=2**15,
            max_field_size=2**15,
        )

    def _connector(self, limit: int, *, streams: bool) -> aiohttp.BaseConnector:
        if self.address.path is not None:
            return _Unix(self.address.path, limit=limit)
        return _Tcp(
            limit=limit,
            ssl=self.context or True,
            resolver=_Resolver(self.connect_timeout),
            socket_factory=lambda addr_info: self._socket(addr_info, streams=streams),
        )

    def _socket(self, addr_info: aiohttp.AddrInfoType, *, streams: bool) -> socket.socket:
        family, kind, protocol, _, _ = addr_info
        sock = socket.socket(family, kind, protocol)
        sock.settimeout(0)
        find_dead_peers(sock, streams=streams)
        self._sockets = [*self._sockets[-3:], sock]
        return sock
