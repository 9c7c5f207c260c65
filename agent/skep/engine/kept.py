"""GET requests over few connections that are kept, for those who ask an engine again and again: a quarter of what aiohttp's client costs.

Source: RFC 9112, sections 6 and 7: how long an answer's body is.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass

from multidict import CIMultiDict

from skep.engine.hijack import connect, read_head
from skep.engine.wire import Wire
from skep.errors import EngineProtocolError

__all__ = ["KeptConnections"]

MOST_IDLE = 4
LONGEST_IDLE = 15.0
"""Seconds after which a connection that nobody needed is closed, when the next request comes."""
_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r\n")
_NO_BODY = (204, 304)


@dataclass(slots=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    since: float = 0.0
    """When it became idle, by the loop's clock."""

    @property
    def is_open(self) -> bool:
        return not self.reader.at_eof() and not self.writer.transport.is_closing()

    def close(self) -> None:
        self.writer.transport.abort()


class KeptConnections:
    """The connections to one engine. Answers are held in memory, and bounded."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._idle: deque[_Connection] = deque()  # the last one was used last

    def close(self) -> None:
        """Close those that are idle; those in use close when they are through, or break."""
        while self._idle:
            self._idle.pop().close()

    async def get(self, target: str, where: str, *, most: int) -> tuple[int, bytes]:
        """Ask for `target`, as it stands in the request line; return status and body.

        Raises EngineProtocolError for more than `most` bytes and for what is not HTTP, and NETWORK_ERRORS.
        """
        head = f"GET {target} HTTP/1.1\r\nHost: {self._wire.address.authority}\r\n\r\n".encode()
        while connection := self._take():
            try:
                return await self._ask(connection, head, where, most)
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                if getattr(error, "partial", b""):
                    raise
                # It was closed while it was idle, and to ask again does no harm.
        return await self._ask(_Connection(*await connect(self._wire, where)), head, where, most)

    def _take(self) -> _Connection | None:
        """An idle one; the older ones age."""
        oldest = asyncio.get_running_loop().time() - LONGEST_IDLE
        while self._idle and self._idle[0].since < oldest:
            self._idle.popleft().close()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
            connection.close()
        return None

    async def _ask(self, connection: _Connection, head: bytes, where: str, most: int) -> tuple[int, bytes]:
        try:
            connection.writer.write(head)
            status, fields = await read_head(connection.reader, where)
            while status in (100, 102, 103):
                status, fields = await read_head(connection.reader, where)
            body, has_end = await _body(connection.reader, status, fields, where, most)
        except BaseException:
            connection.close()
            raise
        if has_end and "close" not in fields.get("Connection", "").lower() and len(self._idle) < MOST_IDLE:
            connection.since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()
        return status, body


async def _body(
    reader: asyncio.StreamReader, status: int, fields: CIMultiDict[str], where: str, most: int
) -> tuple[bytes, bool]:
    """The body, and whether its end is not the connection's."""
    coding, lengths = fields.get("Transfer-Encoding"), set(fields.getall("Content-Length", ()))
    if status in _NO_BODY:
        return b"", True
    if coding is not None:
        if coding.lower() != "chunked" or lengths:
            raise EngineProtocolError(f"{where}: the answer is not HTTP: its transfer coding is {coding[:60]!r}")
        return await _chunks(reader, where, most), True
    if not lengths:
        return await _rest(reader, where, most), False
    length = lengths.pop()
    if lengths or not _DIGITS.fullmatch(length):
        raise EngineProtocolError(f"{where}: the answer is not HTTP: it has the length {length[:60]!r}")
    _check(int(length), where, most)
    return await reader.readexactly(int(length)), True


async def _chunks(reader: asyncio.StreamReader, where: str, most: int) -> bytes:
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise EngineProtocolError(f"{where}: the answer is not HTTP: a chunk begins {line[:60]!r}")
        size = int(match[1], 16)
        if size == 0:
            break
        _check(len(body) + size, where, most)
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise EngineProtocolError(f"{where}: the answer is not HTTP: a chunk is longer than it says")
    trailer = 0
    while (line := await reader.readuntil(b"\r\n")) != b"\r\n":
        trailer += len(line)
        _check(trailer, where, most)
    return bytes(body)


async def _rest(reader: asyncio.StreamReader, where: str, most: int) -> bytes:
    body = bytearray()
    while data := await reader.read(2**16):
        body += data
        _check(len(body), where, most)
    return bytes(body)


def _check(size: int, where: str, most: int) -> None:
    if size > most:
        raise EngineProtocolError(f"{where}: the answer has more than {most} bytes")
