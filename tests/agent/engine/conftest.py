from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

from skep.engine import Engine
from tests.agent.engine.raw_engine import RawEngine


@pytest.fixture(autouse=True)
def no_blocking() -> Iterator[BlockBuster]:
    with blockbuster_ctx("skep") as blockbuster:
        yield blockbuster


@pytest.fixture
async def raw() -> AsyncIterator[RawEngine]:
    engine = RawEngine()
    server = await asyncio.start_server(engine.serve, "127.0.0.1", 0)
    engine.address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield engine
    server.close()


@pytest.fixture
async def engine(raw: RawEngine) -> AsyncIterator[Engine]:
    async with Engine(raw.address, read_timeout=5) as engine:
        yield engine
