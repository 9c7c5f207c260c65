"""`skep.engine` against a real engine, alive, killed, frozen and cut off."""

import asyncio
import contextlib
import struct

import msgspec
import pytest

from contrib.lab import Host
from skep.engine import Engine
from skep.errors import EngineError, EngineTimeoutError, EngineUnreachableError
from skep.http import pump


class Created(msgspec.Struct):
    id: str = msgspec.field(name="Id")


async def create(client: Engine, *command: str, **config: object) -> str:
    body = {"Image": "busybox", "Cmd": command, **config}
    answer = await client.call("POST", "/containers/create", json=body)
    return msgspec.json.decode(answer, type=Created).id


async def run(client: Engine, *command: str) -> str:
    id_ = await create(client, *command)
    await client.call("POST", f"/containers/{id_}/start")
    return id_


@pytest.mark.parametrize("way", ["tcp", "unix"])
async def test_calls_events_and_errors(engine: Host, way: str) -> None:
    async with Engine(engine.url if way == "tcp" else f"unix://{engine.socket}") as client:
        assert await client.negotiate() in {"1.41", "1.45"}
        async with client.events(since=1, filters={"type": ["container"]}) as events:
            id_ = await run(client, "true")
            async with asyncio.timeout(10):
                actions: list[str] = []
                while actions[-1:] != ["die"]:
                    event = await anext(events)
                    actions += [event.action] if event.id == id_ else []
        assert actions == ["create", "start", "die"]
        with pytest.raises(EngineError, match="No such container: none") as caught:
            await client.call("GET", "/containers/none/json")
        assert caught.value.status == 404
        listed = await client.docker.containers.list(all=True)
        assert id_ in [container.id for container in listed]


@pytest.mark.parametrize("way", ["tcp", "unix"])
async def test_half_close_reaches_the_process(engine: Host, way: str) -> None:
    async with Engine(engine.url if way == "tcp" else f"unix://{engine.socket}") as client:
        id_ = await run(client, "sleep", "60")
        options = {"Cmd": ["sh", "-c", "cat; echo done"], "AttachStdin": True, "AttachStdout": True}
        answer = await client.call("POST", f"/containers/{id_}/exec", json=options)
        path = f"/exec/{msgspec.json.decode(answer, type=Created).id}/start"
        sent = b"x" * 1_000_000 + b"\n"
        async with asyncio.timeout(20), await client.hijack("POST", path, body=b'{"Tty":false}') as taken:
            taken.writer.write(sent)
            taken.writer.write_eof()
            assert unframed(await taken.reader.read()) == sent + b"done\n"


def unframed(stream: bytes) -> bytes:
    """The standard output in an engine's multiplexed stream."""
    output, position = b"", 0
    while position < len(stream):
        kind, size = struct.unpack_from(">BxxxL", stream, position)
        output += stream[position + 8 : position + 8 + size] if kind == 1 else b""
        position += 8 + size
    return output


async def test_a_killed_engine_is_told_at_once(engine: Host) -> None:
    async with Engine(engine.url) as client, client.events() as events:
        waiting = asyncio.ensure_future(anext(events))
        await engine.kill()
        async with asyncio.timeout(2):
            with pytest.raises((EngineUnreachableError, StopAsyncIteration)):
                await waiting
            with pytest.raises(EngineUnreachableError):
                await client.ping()
        await engine.start()
        client.reset()
        async with asyncio.timeout(5):
            while client.api_version is None:
                with contextlib.suppress(EngineUnreachableError):
                    await client.negotiate()


async def test_a_frozen_engine_costs_no_more_than_the_deadline(engine: Host) -> None:
    async with Engine(engine.url, read_timeout=1) as client:
        await client.negotiate()
        await engine.freeze()
        loop = asyncio.get_running_loop()
        started = loop.time()
        results = await asyncio.gather(*(client.ping() for _ in range(20)), return_exceptions=True)
        assert {type(result) for result in results} == {EngineTimeoutError}
        assert loop.time() - started < 2
        await engine.thaw()
        await client.ping()


async def test_a_silent_cut_is_found_on_idle_streams(engine: Host) -> None:
    async with Engine(engine.url) as client, client.events() as events:
        id_ = await create(client, "cat", OpenStdin=True, AttachStdin=True)
        attach = await client.hijack("POST", f"/containers/{id_}/attach", query={"stream": True, "stdin": True})
        await engine.cut()
        async with attach, asyncio.timeout(12):
            assert [(await anext(events)).action for _ in range(2)] == ["create", "attach"]
            with pytest.raises(EngineUnreachableError, match="the connection broke"):
                await anext(events)
            with pytest.raises(OSError, match="timed out"):
                await attach.reader.read()


async def test_joined_connections_end_with_the_engine(engine: Host) -> None:
    async with Engine(engine.url) as client:
        id_ = await run(client, "sleep", "60")
        attach = {"stream": True, "stdin": True, "stdout": True}
        near, far = [await client.hijack("POST", f"/containers/{id_}/attach", query=attach) for _ in range(2)]
        joined = asyncio.create_task(pump(near, far))
        await engine.kill()
        async with asyncio.timeout(2):
            await joined
        for side in (near, far):
            with contextlib.suppress(ConnectionError):
                assert await side.reader.read() == b""
