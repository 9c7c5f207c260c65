"""A connection of its own to an engine, taken over after the response head: attach, exec, BuildKit's session.

Source: the Engine API reference, "Attach to a container" (hijacking): 101 for a request with `Upgrade: tcp`,
else 200.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from multidict import CIMultiDict, CIMultiDictProxy

from skep.engine.failures import MAX_ERROR_BODY, engine_error, no_connection
from skep.engine.sessions import find_dead_peers
from skep.engine.tls_transport import TLSTransport
from skep.engine.wire import Wire
from skep.errors import EngineProtocolError, RequestError

__all__ = ["HijackRequest", "Hijacked", "connect", "hijack", "read_head"]

BUFFER = 2**18
"""Bytes that are read ahead of the caller at most twice over."""

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
_MAX_HEAD = 2**15
_CLOSING = 1.0  # seconds
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n\0]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")


@dataclass(frozen=True, slots=True)
class Hijacked:
    """A connection that an engine handed over: bytes flow both ways, without HTTP.

    status, headers: of the response. `writer.write_eof()` closes one half, over TLS too. Call `close` at
    last, or use `async with`.
    """

    status: int
    headers: CIMultiDictProxy[str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def __aenter__(self) -> Hijacked:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection in both directions; what was not yet sent is dropped."""
        # asyncio cannot abort a transport that has closed by itself.
        if not self.writer.transport.is_closing():
            self.writer.transport.abort()
        with contextlib.suppress(OSError):
            async with asyncio.timeout(_CLOSING):
                await self.writer.wait_closed()


@dataclass(frozen=True, slots=True)
class HijackRequest:
    """What to ask for; `target` is version, path and query as they stand in the request line."""

    method: str
    target: str
    headers: Mapping[str, str] | None
    body: bytes
    where: str


async def hijack(wire: Wire, request: HijackRequest, timeout: float | None) -> Hijacked:
    """Connect, send the request and read the response head within `timeout` seconds; as `Engine.hijack`."""
    reader, writer = await connect(wire, request.where)
    try:
        async with asyncio.timeout(timeout):
            writer.write(_head(request, wire.address.authority) + request.body)
            await writer.drain()
            return await _answer(reader, writer, request.where)
    except BaseException:
        writer.transport.abort()
        raise


async def connect(wire: Wire, where: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the engine. Raises EngineUnreachableError, and what the TLS files are wrong in."""
    await wire.open()  # which reads the TLS files
    address = wire.address
    try:
        async with asyncio.timeout(wire.connect_timeout):
            if address.path is not None:
                return await asyncio.open_unix_connection(address.path, limit=BUFFER)
            if wire.context is not None:
                return await _connect_tls(address.host, address.port, wire.context)
            reader, writer = await asyncio.open_connection(
                address.host, address.port, limit=BUFFER, happy_eyeballs_delay=0.25
            )
    except OSError as error:
        raise no_connection(error, where) from error
    find_dead_peers(writer.get_extra_info("socket"), streams=True)
    return reader, writer


class _StayOpen(asyncio.StreamReaderProtocol):
    """asyncio's own closes a TLS connection at the end of what it receives."""

    def eof_received(self) -> bool:
        super().eof_received()
        return True


async def _connect_tls(
    host: str, port: int, context: ssl.SSLContext
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=BUFFER)
    protocol = _StayOpen(reader)
    _, transport = await loop.create_connection(
        lambda: TLSTransport(protocol, context, server_hostname=host), host, port, happy_eyeballs_delay=0.25
    )
    try:
        await transport.handshake
    except BaseException:
        transport.abort()
        raise
    find_dead_peers(transport.get_extra_info("socket"), streams=True)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, where: str) -> Hijacked:
    status, fields = await read_head(reader, where)
    while status in (100, 102, 103):
        status, fields = await read_head(reader, where)
    if status >= 400:
        raise engine_error(status, await _read_error(reader, fields))
    framed = "Content-Length" in fields or "Transfer-Encoding" in fields
    if status != 101 and (status != 200 or framed):
        raise EngineProtocolError(f"{where}: the engine answered {status} and did not hand the connection over")
    return Hijacked(status, CIMultiDictProxy(fields), reader, writer)


def _head(request: HijackRequest, authority: str) -> bytes:
    """The request's head; headers given as None ask for an upgrade, as docker's own client does."""
    headers = CIMultiDict(UPGRADE if request.headers is None else request.headers)
    for name in ("Content-Length", "Transfer-Encoding"):
        headers.popall(name, None)
    headers.setdefault("Host", authority)
    if request.body:
        headers.setdefault("Content-Type", "application/json")
    headers["Content-Length"] = str(len(request.body))
    lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    if any(character in line for line in lines for character in "\r\n\0"):
        raise RequestError("a line break or NUL in the method, the path or a header")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


async def read_head(reader: asyncio.StreamReader, where: str) -> tuple[int, CIMultiDict[str]]:
    """The status and the headers of an answer. Raises EngineProtocolError for what is not HTTP, and as `readuntil`."""
    head = await reader.readuntil(b"\r\n\r\n")
    if len(head) > _MAX_HEAD:
        raise EngineProtocolError(f"{where}: the response head is longer than {_MAX_HEAD} bytes")
    status_line, *lines = head[:-4].split(b"\r\n")
    status = _STATUS_LINE.fullmatch(status_line)
    if status is None:
        raise EngineProtocolError(f"{where}: the answer is not HTTP: it begins {status_line[:60]!r}")
    fields: CIMultiDict[str] = CIMultiDict()
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise EngineProtocolError(f"{where}: the answer is not HTTP: it has the header {line[:60]!r}")
        fields.add(match[1].decode("ascii"), match[2].decode("utf-8", "surrogateescape"))
    return int(status[1]), fields


async def _read_error(reader: asyncio.StreamReader, fields: CIMultiDict[str]) -> bytes:
    """As much of an error's body as is worth showing."""
    if "chunked" in fields.get("Transfer-Encoding", "").lower():
        return await _read_chunks(reader)
    length = fields.get("Content-Length", "")
    with contextlib.suppress(asyncio.IncompleteReadError):
        if length.isascii() and length.isdigit():
            return await reader.readexactly(min(int(length), MAX_ERROR_BODY))
    return await reader.read(MAX_ERROR_BODY)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        while len(body) < MAX_ERROR_BODY:
            size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
            if size <= 0:
                break
            body += await reader.readexactly(min(size, MAX_ERROR_BODY))
            await reader.readexactly(2)
    return bytes(body)
