"""Who may connect how often: a bound of the connections that one client holds at a time."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from typing import cast

__all__ = ["Doorman"]

_log = logging.getLogger("skep.http")
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid
_REFUSAL = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}"


class Doorman:
    """Lets each client, known by its IP address or by its user, have `most` connections at a time; 0 is any number.

    One more is closed, over plain tcp and unix sockets with the status 429 and the reason.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._inside: dict[str, set[asyncio.Transport]] = {}

    def lead(self, inner: asyncio.BaseProtocol, *, speaks: bool) -> asyncio.BaseProtocol:
        """The protocol for a connection that, let in, is `inner`'s. `speaks`: a refusal can be read by whoever is there."""
        return _Door(self, inner, speaks) if self.most else inner

    def admit(self, transport: asyncio.Transport) -> str:
        """Count a connection; why not, where its client has as many as it may have."""
        who = _peer(transport)
        inside = self._inside.setdefault(who, set())
        if len(inside) >= self.most:
            self._forget_closed()
            inside = self._inside.setdefault(who, set())
            if len(inside) >= self.most:
                return f"{who} has {len(inside)} connections; no client may have more than {self.most}"
        inside.add(transport)
        return ""

    def _forget_closed(self) -> None:
        """Nobody tells of connections that have ended: whoever reaches the bound has them looked for."""
        left = {who: {each for each in inside if not each.is_closing()} for who, inside in self._inside.items()}
        self._inside = {who: inside for who, inside in left.items() if inside}


class _Door(asyncio.Protocol):
    def __init__(self, doorman: Doorman, inner: asyncio.BaseProtocol, speaks: bool) -> None:
        self._doorman = doorman
        self._inner = inner
        self._speaks = speaks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        if not (refusal := self._doorman.admit(transport)):
            transport.set_protocol(self._inner)
            self._inner.connection_made(transport)
            return
        _log.info("a connection was refused: %s", refusal)
        if self._speaks:
            body = f'{{"message":"{refusal}"}}\n'
            transport.write(_REFUSAL.format(len(body), body).encode())
        transport.close()


def _peer(transport: asyncio.Transport) -> str:
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family == getattr(socket, "AF_UNIX", None):
        option = getattr(socket, "SO_PEERCRED", None)  # Linux
        if option is None:
            return "this machine"
        return f"uid:{_CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))[1]}"
    peer = transport.get_extra_info("peername")
    return str(peer[0]) if peer else "nobody known"
