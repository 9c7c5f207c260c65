"""An engine that says, byte by byte, what a test wants it to say."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Answer = bytes | Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http(body: bytes = b"", status: int = 200, **headers: str) -> bytes:
    """A whole response."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


PING = http(b"OK", Api_Version="1.41")


@dataclass
class RawRequest:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class RawEngine:
    """Answers by path (without version and query) with bytes, or lets a function answer and then closes."""

    answers: dict[str, Answer] = field(default_factory=lambda: {"/_ping": PING})
    requests: list[RawRequest] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    address: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head[:-4].split("\r\n")
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests.append(RawRequest(line, headers, body))
        path = line.split()[1].partition("?")[0]
        if path.startswith("/v1."):
            path = path[path.index("/", 1) :]
        answer = self.answers[path]
        if callable(answer):
            await answer(reader, writer)
            return False
        writer.write(answer)
        await writer.drain()
        return True

    def count(self, path: str) -> int:
        return sum(path in request.line for request in self.requests)


async def eventually(condition: Callable[[], object], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)
