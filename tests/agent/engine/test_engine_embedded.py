"""The client against an engine that answers as Docker does."""

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from skep.engine import Engine
from skep.errors import EngineError, EngineTimeoutError, EngineUnreachableError
from skep.testing import EmbeddedEngine


@pytest.fixture(params=["unix", "tcp"])
async def embedded(request: pytest.FixtureRequest) -> AsyncIterator[EmbeddedEngine]:
    engine = EmbeddedEngine()
    await engine.start("tcp://127.0.0.1:0" if request.param == "tcp" else None)
    yield engine
    await engine.stop()


@pytest.fixture
async def engine(embedded: EmbeddedEngine) -> AsyncIterator[Engine]:
    async with Engine(embedded.url) as engine:
        yield engine


@pytest.mark.parametrize(
    ("newest", "oldest", "spoken"),
    [("1.24", "1.12", "1.24"), ("1.41", "1.12", "1.41"), ("1.60", "1.44", "1.52")],
)
async def test_each_generation_is_spoken_to(newest: str, oldest: str, spoken: str) -> None:
    async with EmbeddedEngine(api_version=newest, min_api_version=oldest) as embedded:
        embedded.run("web")
        async with Engine(embedded.url) as engine:
            listed = await engine.get("/containers/json", list[dict[str, object]])
            assert (engine.api_version, len(listed)) == (spoken, 1)


async def test_a_container_from_creation_to_its_events(embedded: EmbeddedEngine, engine: Engine) -> None:
    async with engine.events(filters={"type": ["container"]}) as events:
        create = {"Image": "busybox:latest", "Cmd": ["sleep", "infinity"]}
        await engine.call("POST", "/containers/create", query={"name": "web"}, json=create)
        await engine.call("POST", "/containers/web/start")
        async with asyncio.timeout(5):
            assert [(await anext(events)).action, (await anext(events)).action] == ["create", "start"]
    with pytest.raises(EngineError, match="No such container: none") as caught:
        await engine.call("POST", "/containers/none/start")
    assert caught.value.status == 404


async def test_cat_returns_what_it_is_given(embedded: EmbeddedEngine, engine: Engine) -> None:
    embedded.run("web")
    create = {"Cmd": ["cat"], "AttachStdin": True, "AttachStdout": True}
    body = await engine.call("POST", "/containers/web/exec", json=create)
    exec_id = body.decode().split('"')[3]
    path = f"/exec/{exec_id}/start"
    async with asyncio.timeout(5), await engine.hijack("POST", path, body=b'{"Detach":false}') as taken:
        taken.writer.write(b"hi\n")
        taken.writer.write_eof()
        assert await taken.reader.read() == struct.pack(">BxxxL", 1, 3) + b"hi\n"


async def test_an_engine_that_dies_and_returns(embedded: EmbeddedEngine, engine: Engine) -> None:
    url = embedded.url
    async with engine.events() as events:
        waiting = asyncio.create_task(anext(events))
        await embedded.stop()
        with pytest.raises((EngineUnreachableError, StopAsyncIteration, RuntimeError)):
            await waiting
    with pytest.raises((EngineUnreachableError, EngineTimeoutError)):
        await engine.ping(timeout=1)
    if url.startswith("tcp://"):
        await embedded.start(url)
        engine.reset()
        assert await engine.negotiate() == "1.41"
