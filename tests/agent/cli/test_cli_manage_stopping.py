"""`skep manage` told to stop while clients are at it: what has begun is answered in whole, or not at all."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from skep.testing import EmbeddedEngine

CREATE = json.dumps({"Image": "busybox:latest"}).encode()


def is_create(method: str, path: str) -> bool:
    return path == "/containers/create"


@dataclass
class Load:
    """Clients of a unix socket, each with a connection of its own; `halves` are answers that broke off, as far as they came."""

    path: str
    whole: int = 0
    statuses: set[int] = field(default_factory=set)
    halves: list[bytes] = field(default_factory=list)

    async def client(self, method: str, target: str, body: bytes = b"") -> None:
        """Ask again and again, on one connection, until that is closed."""
        reader, writer = await asyncio.open_unix_connection(self.path)
        request = f"{method} {target} HTTP/1.1\r\nHost: docker\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        try:
            while True:
                writer.write(request)
                if not await self._answer(reader):
                    return
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            partial = getattr(error, "partial", b"")
            if partial:
                self.halves.append(partial)
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        try:
            await self._body(reader, head.lower())
        except (ConnectionError, asyncio.IncompleteReadError):
            self.halves.append(head)
            return False
        self.whole += 1
        self.statuses.add(int(head.split()[1]))
        return True

    async def _body(self, reader: asyncio.StreamReader, head: bytes) -> None:
        if b"transfer-encoding: chunked" not in head:
            await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
            return
        size = 1
        while size:
            size = int(await reader.readuntil(b"\r\n"), 16)
            await reader.readexactly(size + 2)


@pytest.fixture
async def engine() -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine("one")
    await engine.start("tcp://127.0.0.1:0")
    for number in range(50):
        engine.run(f"box{number}")
    yield engine
    await engine.stop()


@pytest.fixture
async def manager(skep: Any, engine: EmbeddedEngine, tmp_path: Path) -> Any:
    address = engine.url.removeprefix("tcp://")
    running = await skep.start(
        "manage", f"--host=unix://{tmp_path}/d", f"--control=unix://{tmp_path}/c", f"nodes://{address}"
    )
    await running.until("skep is up")
    return running


async def test_what_has_begun_is_answered_in_whole(manager: Any, engine: EmbeddedEngine, tmp_path: Path) -> None:
    load = Load(f"{tmp_path}/d")
    engine.faults.delay(0.3, is_create)
    kinds = [("GET", "/containers/json?all=1"), ("GET", "/containers/box7/json"), ("GET", "/events"), ("GET", "/info")]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(24):
            group.create_task(load.client(*kinds[number % len(kinds)]))
        for _ in range(8):
            group.create_task(load.client("POST", "/containers/create", CREATE))
        while load.whole < 100 or 201 not in load.statuses:
            await asyncio.sleep(0.01)
        began = time.monotonic()
        assert await manager.stop() == 0
        assert time.monotonic() - began < 10
    assert load.halves == []
    assert load.statuses <= {200, 201}
    assert "Traceback" not in manager.text


async def test_a_second_signal_does_not_wait_for_anything(manager: Any, engine: EmbeddedEngine, tmp_path: Path) -> None:
    load = Load(f"{tmp_path}/d")
    with engine.faults.hang(is_create) as hanging:
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(load.client("POST", "/containers/create", CREATE))
            while not hanging.hits:
                await asyncio.sleep(0.01)
            manager.process.terminate()
            await manager.until("again ends at once")
            began = time.monotonic()
            assert await manager.stop() == 130
            assert time.monotonic() - began < 2
    assert load.whole == 0
    assert load.halves == []
