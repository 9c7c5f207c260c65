"""HTTP/1.1 as far as a manager and its clients speak it with canned engines: calls, their bodies, events, streams and attached connections."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from contrib.bench.canned import Canned

__all__ = ["Serving"]

_VERSION = b'{"ApiVersion":"1.45","MinAPIVersion":"1.24"}'
_STREAM = (
    b"HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_UPGRADED = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
_BLOCK = bytes(2**18)


class Serving(asyncio.Protocol):
    """One connection: requests one after the other.

    Of a container there are, besides what `Canned` answers, `POST .../start` and `restart`, which make an event; `GET .../logs?tail=N`, a stream of
    N megabytes (2^20 bytes); and `POST .../attach?mb=N`, as many over a connection that is taken over.
    """

    def __init__(self, engine: Canned) -> None:
        self._engine = engine
        self._data = b""
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._engine.listeners.discard(self._transport)
        if self._sending is not None:
            self._sending.cancel()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    def data_received(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, rest = self._data.partition(b"\r\n\r\n")
            length = _length(head)
            if len(rest) < length:
                return
            body, self._data = rest[:length], rest[length:]
            method, target = head.split(b" ", 2)[:2]
            path, _, query = target.decode().partition("?")
            path = "/" + path.split("/", 2)[2] if path.startswith("/v1.") else path
            self._take(method.decode(), path, {key: values[0] for key, values in parse_qs(query).items()}, body)

    def _take(self, method: str, path: str, query: dict[str, str], body: bytes) -> None:
        engine = self._engine
        if path == "/events":
            self._transport.write(_STREAM)
            engine.listeners.add(self._transport)
        elif method == "POST" and path == "/containers/create":
            id_ = engine.create(json.loads(body), query.get("name", ""))
            self._answer(b"201 Created", b'{"Id":"%s","Warnings":[]}' % id_.encode())
            engine.tell("create", id_)
        elif method == "POST" and path.endswith(("/start", "/restart")):
            self._answer(b"204 No Content", b"")
            engine.tell("start", path.split("/")[2])
        elif path.endswith("/logs"):
            self._sending = asyncio.create_task(self._send(_STREAM, int(query["tail"]), chunked=True))
        elif path.endswith("/attach"):
            self._sending = asyncio.create_task(self._send(_UPGRADED, int(query["mb"]), chunked=False))
        else:
            found = {"/_ping": b"OK", "/version": _VERSION}.get(path) or engine.answer(path)
            self._answer(b"404 Not Found" if found is None else b"200 OK", found or b"{}")

    def _answer(self, status: bytes, body: bytes) -> None:
        length = b"" if status.startswith(b"204") else b"Content-Length: %d\r\n" % len(body)
        head = b"HTTP/1.1 %s\r\nApi-Version: 1.45\r\nContent-Type: application/json\r\n%s\r\n" % (status, length)
        self._transport.write(head + body)

    async def _send(self, head: bytes, megabytes: int, *, chunked: bool) -> None:
        self._transport.write(head)
        block = b"%x\r\n%s\r\n" % (len(_BLOCK), _BLOCK) if chunked else _BLOCK
        for _ in range(megabytes * 2**20 // len(_BLOCK)):
            self._transport.write(block)
            await self._may_write.wait()
        if chunked:
            self._transport.write(b"0\r\n\r\n")
        else:
            self._transport.close()


def _length(head: bytes) -> int:
    """Of the body that follows."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def event(action: str, id_: str, at: int, name: str) -> dict[str, Any]:
    """What an engine tells of a container; `at` is in nanoseconds since the epoch."""
    return {
        "status": action,
        "id": id_,
        "from": "busybox",
        "Type": "container",
        "Action": action,
        "Actor": {"ID": id_, "Attributes": {"image": "busybox", "name": name}},
        "scope": "local",
        "time": at // 10**9,
        "timeNano": at,
    }
