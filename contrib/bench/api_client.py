"""A client of the Docker API that costs little itself, so that what is measured is the other side."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

__all__ = ["Client", "create_head", "creates_at_once", "dial", "plain_body"]

IMAGE = "registry.example.com/shop/service7:2.4.7"
_BUFFER = 2**20


def dial(url: str) -> socket.socket:
    """Connect to `unix://` or `tcp://`."""
    if url.startswith("unix://"):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(url.removeprefix("unix://"))
        return sock
    host, _, port = url.removeprefix("tcp://").rpartition(":")
    sock = socket.create_connection((host, int(port)))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def create_head(name: str, body: bytes) -> bytes:
    """A request to create a container."""
    return _request("POST", f"/v1.41/containers/create?name={name}", body)


def plain_body() -> bytes:
    """A container without rules, as `docker run` sends it in short."""
    return json.dumps({"Image": IMAGE, "Env": ["A=b"], "HostConfig": {"Memory": 2**24}}).encode()


def _request(method: str, target: str, body: bytes = b"") -> bytes:
    kind = b"Content-Type: application/json\r\n" if body else b""
    head = f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n".encode()
    return head + kind + b"\r\n" + body


class Client:
    """One connection, used for one request after the other. Blocking."""

    def __init__(self, url: str) -> None:
        self._sock = dial(url)
        self._data = b""

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def call(self, method: str, target: str, body: bytes = b"") -> tuple[int, bytes]:
        """The status and the body of the answer, a chunked one unframed."""
        self._sock.sendall(_request(method, target, body))
        status, head = self._head()
        length = _header(head, b"content-length")
        if _header(head, b"transfer-encoding") == b"chunked":
            return status, b"".join(self._chunks())
        return status, self._take(int(length or 0))

    def drain(self, method: str, target: str) -> int:
        """Ask for a stream, and count the bytes that come, framing included, until it ends. The connection is used up.

        The end is that of a chunked answer, or of the connection.
        """
        self._sock.sendall(_request(method, target))
        _, head = self._head()
        is_chunked = _header(head, b"transfer-encoding") == b"chunked"
        buffer, total, last = bytearray(_BUFFER), len(self._data), self._data[-5:]
        while not (is_chunked and last == b"0\r\n\r\n"):
            count = self._sock.recv_into(buffer)
            if not count:
                break
            total += count
            last = (last + bytes(buffer[max(0, count - 5) : count]))[-5:]
        return total

    def lines(self, target: str) -> Iterator[bytes]:
        """The pieces of a stream, each as it comes; the first, an empty one, when its head has come."""
        self._sock.sendall(_request("GET", target))
        self._head()
        yield b""
        yield from self._chunks()

    def _head(self) -> tuple[int, bytes]:
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), head.lower()

    def _chunks(self) -> Iterator[bytes]:
        while True:
            while b"\r\n" not in self._data:
                self._more()
            size, _, self._data = self._data.partition(b"\r\n")
            chunk = self._take(int(size, 16) + 2)[:-2]
            if not chunk:
                return
            yield chunk

    def _take(self, length: int) -> bytes:
        pieces, missing = [self._data], length - len(self._data)
        while missing > 0:
            pieces.append(self._sock.recv(_BUFFER))
            if not pieces[-1]:
                raise SystemExit("the other side closed the connection")
            missing -= len(pieces[-1])
        whole = b"".join(pieces)
        self._data = whole[length:]
        return whole[:length]

    def _more(self) -> None:
        data = self._sock.recv(_BUFFER)
        if not data:
            raise SystemExit("the other side closed the connection")
        self._data += data


def _header(head: bytes, name: bytes) -> bytes:
    _, found, rest = head.partition(b"\r\n" + name + b":")
    return rest.partition(b"\r\n")[0].strip() if found else b""


def creates_at_once(url: str, clients: int, creates: int, prefix: str) -> tuple[float, list[float]]:
    """Seconds for so many creates by so many clients at once, and the seconds of each."""
    return asyncio.run(_creates_at_once(url, clients, creates, prefix))


async def _creates_at_once(url: str, clients: int, creates: int, prefix: str) -> tuple[float, list[float]]:
    numbers, taken, body = iter(range(creates)), list[float](), plain_body()

    async def one() -> None:
        reader, writer = await asyncio.open_unix_connection(url.removeprefix("unix://"))
        for number in numbers:
            began = time.perf_counter()
            writer.write(create_head(f"{prefix}{number}", body))
            head = await reader.readuntil(b"\r\n\r\n")
            answer: Any = await reader.readexactly(int(_header(head.lower(), b"content-length")))
            if not head.startswith(b"HTTP/1.1 201"):
                raise SystemExit(f"a create failed: {answer!r}")
            taken.append(time.perf_counter() - began)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(clients)))
    return time.perf_counter() - began, taken
