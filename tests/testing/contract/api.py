"""A bare client for the contract tests: nothing between the test and the bytes but aiohttp and a socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiohttp

DEADLINE = 20.0
SLEEP = {"Image": "busybox", "Cmd": ["sleep", "1000"]}


class Answer(NamedTuple):
    """Status, headers, body (parsed when it is JSON)."""

    status: int
    headers: Any
    body: Any

    @property
    def message(self) -> str:
        """The engine's error message."""
        return str(self.body["message"])


@dataclass
class Subject:
    """The engine under test."""

    kind: str
    socket: str
    session: aiohttp.ClientSession
    created: list[str] = field(default_factory=list)
    taken: list[asyncio.StreamWriter] = field(default_factory=list)

    async def call(self, method: str, path: str, body: Any = None, *, prefix: str = "/v1.41", **query: Any) -> Answer:
        """One request; `body` is sent as JSON, or as it is when it is bytes."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        params = {key: value if isinstance(value, str) else json.dumps(value) for key, value in query.items()}
        url = f"http://engine{prefix}{path}"
        async with (
            asyncio.timeout(DEADLINE),
            self.session.request(method, url, data=raw, headers=headers, params=params) as got,
        ):
            data = await got.read()
            parsed: Any = data
            if got.content_type == "application/json":
                with contextlib.suppress(ValueError):
                    parsed = json.loads(data)
            return Answer(got.status, got.headers, parsed)

    async def clean_up(self) -> None:
        """Close what was taken over, remove what was created."""
        for writer in self.taken:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        for id_ in self.created:
            await self.delete(f"/containers/{id_}", force="1", v="1")

    async def get(self, path: str, **query: Any) -> Answer:
        return await self.call("GET", path, **query)

    async def post(self, path: str, body: Any = None, **query: Any) -> Answer:
        return await self.call("POST", path, body, **query)

    async def delete(self, path: str, **query: Any) -> Answer:
        return await self.call("DELETE", path, **query)

    async def create(self, name: str, *command: str, **more: Any) -> str:
        """Create a busybox container; it is removed after the test."""
        body = {"Image": "busybox", "Cmd": list(command) or SLEEP["Cmd"], **more}
        made = await self.post("/containers/create", body, name=name)
        assert made.status == 201, made
        self.created.append(made.body["Id"])
        return str(made.body["Id"])

    async def run(self, name: str, *command: str, **more: Any) -> str:
        """Create and start one."""
        id_ = await self.create(name, *command, **more)
        started = await self.post(f"/containers/{id_}/start")
        assert started.status == 204, started
        return id_

    async def inspect(self, name: str) -> Any:
        return (await self.get(f"/containers/{name}/json")).body

    async def until(self, name: str, status: str) -> Any:
        """Inspect until the container has a status."""
        async with asyncio.timeout(DEADLINE):
            while (found := await self.inspect(name))["State"]["Status"] != status:
                await asyncio.sleep(0.02)
        return found

    @contextlib.asynccontextmanager
    async def recorded(self, **filters: list[str]) -> AsyncIterator[Recorder]:
        """Records events from now on. A real engine sends its headers a moment before it listens itself: it is asked for `since`."""
        query = {"filters": json.dumps(filters), "since": f"{time.time():.9f}"}
        url = "http://engine/v1.41/events"
        async with self.session.get(url, params=query, timeout=aiohttp.ClientTimeout(total=None)) as stream:
            recorder = Recorder(stream)
            yield recorder

    async def hijack(self, path: str, body: Any = None, *, upgrade: bool = True) -> Hijacked:
        """POST, then take the connection for raw bytes."""
        reader, writer = await asyncio.open_unix_connection(self.socket)
        raw = b"" if body is None else json.dumps(body).encode()
        head = f"POST /v1.41{path} HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n"
        head += f"Content-Length: {len(raw)}\r\n"
        head += "Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n" if upgrade else "\r\n"
        writer.write(head.encode() + raw)
        self.taken.append(writer)
        async with asyncio.timeout(DEADLINE):
            answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        return Hijacked(answer, reader, writer)


class Recorder:
    """Events as they come."""

    def __init__(self, stream: aiohttp.ClientResponse) -> None:
        self._stream = stream
        self.seen: list[dict[str, Any]] = []

    async def until(self, action: str, kind: str = "container") -> list[dict[str, Any]]:
        """All events up to the first of that action after those already returned."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(DEADLINE):
            while line := await self._stream.content.readline():
                event = json.loads(line)
                found.append(event)
                if (event["Type"], event["Action"]) == (kind, action):
                    return found
        raise AssertionError(f"the stream ended before {action}: {found}")


@dataclass
class Hijacked:
    """A connection taken over."""

    head: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def status(self) -> int:
        return int(self.head.split()[1])

    async def frame(self) -> tuple[int, bytes]:
        """The next frame of a multiplexed stream."""
        async with asyncio.timeout(DEADLINE):
            stream, length = struct.unpack(">BxxxL", await self.reader.readexactly(8))
            return stream, await self.reader.readexactly(length)

    async def rest(self) -> bytes:
        """All until the engine closes."""
        async with asyncio.timeout(DEADLINE):
            return await self.reader.read()


def frames(data: bytes) -> dict[int, bytes]:
    """A multiplexed stream's payload, by stream."""
    found: dict[int, bytes] = {}
    while data:
        stream, length = struct.unpack(">BxxxL", data[:8])
        found[stream] = found.get(stream, b"") + data[8 : 8 + length]
        data = data[8 + length :]
    return found


def actions(events: list[dict[str, Any]]) -> list[str]:
    """Events in short: ``container start``, with what tells them apart."""
    found = []
    for event in events:
        extra = [event["Actor"]["Attributes"].get(key) for key in ("signal", "exitCode", "oldName")]
        found.append(" ".join([event["Type"], event["Action"].strip(), *(word for word in extra if word)]))
    return found
