"""`EmbeddedEngine` used directly: what happens on the host is seen by clients, and an engine restarts."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skep.testing import EmbeddedEngine, EngineError


@pytest.fixture
async def engine() -> AsyncIterator[EmbeddedEngine]:
    async with EmbeddedEngine("direct", labels={"public": "yes"}) as engine:
        yield engine


async def get(engine: EmbeddedEngine, path: str) -> Any:
    connector = aiohttp.UnixConnector(engine.url.removeprefix("unix://"))
    async with (
        aiohttp.ClientSession("http://engine", connector=connector) as session,
        session.get(path) as answer,
    ):
        return json.loads(await answer.read())


def happened(engine: EmbeddedEngine) -> list[str]:
    return [event.action for event in engine.state.events.recent if event.type == "container"]


async def test_a_life_without_a_client(engine: EmbeddedEngine) -> None:
    id_ = engine.run("web", "nginx", ports={80: 8080}, labels={"a": "b"}, env={"X": "y"}, memory=2**26)
    engine.pause(id_)
    engine.unpause(id_)
    engine.rename(id_, "site")
    engine.stop_container("site")
    engine.remove("site")

    expected = ["create", "start", "pause", "unpause", "rename", "kill", "die", "stop", "destroy"]
    assert happened(engine) == expected
    assert await get(engine, "/containers/json?all=1") == []


async def test_clients_see_what_was_done(engine: EmbeddedEngine) -> None:
    engine.run("db", "redis")
    id_ = engine.run("web", "nginx", ports={"80/tcp": "127.0.0.1:8080"}, links=["db:redis"], env=["A=b"], cpu_shares=2)

    found = await get(engine, f"/containers/{id_}/json")

    assert found["HostConfig"]["Links"] == ["/db:/web/redis"]
    assert found["NetworkSettings"]["Ports"]["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "8080"}]
    assert found["HostConfig"]["CpuShares"] == 2
    assert "A=b" in found["Config"]["Env"]


async def test_health(engine: EmbeddedEngine) -> None:
    id_ = engine.run("web", health="healthy")
    engine.set_health(id_, "unhealthy")

    [row] = await get(engine, "/containers/json")
    found = await get(engine, f"/containers/{id_}/json")

    assert row["Status"].endswith("(unhealthy)")
    assert found["State"]["Health"]["Status"] == "unhealthy"
    assert happened(engine)[-2:] == ["health_status: healthy", "health_status: unhealthy"]


async def test_what_is_wrong_is_raised(engine: EmbeddedEngine) -> None:
    engine.run("web", ports={80: 8080})

    with pytest.raises(EngineError, match="port is already allocated"):
        engine.run("other", ports={80: 8080})
    with pytest.raises(EngineError, match="already in use"):
        engine.run("web")
    with pytest.raises(EngineError, match="No such image: nosuch:latest"):
        engine.run(image="nosuch")
    with pytest.raises(EngineError, match="No such container: nosuch"):
        engine.kill("nosuch")


async def test_a_port_is_free_again_when_its_holder_stops(engine: EmbeddedEngine) -> None:
    engine.run("web", ports={80: 8080})
    engine.stop_container("web")

    engine.run("next", ports={80: 8080})

    with pytest.raises(EngineError, match="port is already allocated"):
        engine.start_container("web")


async def test_death_by_want_of_memory(engine: EmbeddedEngine) -> None:
    id_ = engine.run("hungry")

    engine.oom(id_)

    state = (await get(engine, f"/containers/{id_}/json"))["State"]
    assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)
    assert happened(engine)[-2:] == ["oom", "die"]


async def test_output_reaches_those_who_follow(engine: EmbeddedEngine) -> None:
    id_ = engine.run("web")
    following = asyncio.create_task(get_text(engine, f"/containers/{id_}/logs?stdout=1&stderr=1&follow=1"))
    await asyncio.sleep(0)

    engine.write(id_, "hello\n")
    engine.write(id_, "oh\n", stderr=True)
    engine.die(id_)

    text = await following
    assert b"hello\n" in text
    assert b"oh\n" in text


async def get_text(engine: EmbeddedEngine, path: str) -> bytes:
    connector = aiohttp.UnixConnector(engine.url.removeprefix("unix://"))
    async with (
        aiohttp.ClientSession("http://engine", connector=connector) as session,
        session.get(path) as answer,
    ):
        return await answer.read()


@pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure", "no"])
async def test_a_restarted_engine_follows_the_restart_policies(engine: EmbeddedEngine, policy: str) -> None:
    running = engine.run("running", RestartPolicy={"Name": policy})
    stopped = engine.run("stopped", RestartPolicy={"Name": policy})
    engine.stop_container(stopped)

    await engine.restart()

    rows = {row["Id"]: row["State"] for row in await get(engine, "/containers/json?all=1")}
    back = policy in ("always", "unless-stopped")
    assert rows[running] == ("running" if back else "exited")
    assert rows[stopped] == ("running" if policy == "always" else "exited")


async def test_what_cannot_come_back_says_why(engine: EmbeddedEngine) -> None:
    always = {"Name": "always"}
    id_ = engine.run("first", ports={80: 8080}, RestartPolicy=always)
    engine.die(id_, 1)
    engine.run("second", ports={80: 8080})

    async with asyncio.timeout(5):
        while not (state := (await get(engine, f"/containers/{id_}/json"))["State"])["Error"]:
            await asyncio.sleep(0.01)

    assert state["Status"] == "exited"
    assert "port is already allocated" in state["Error"]


async def test_a_restart_drops_connections_and_forgets_events(engine: EmbeddedEngine) -> None:
    engine.run("web")
    connector = aiohttp.UnixConnector(engine.url.removeprefix("unix://"))
    async with (
        aiohttp.ClientSession("http://engine", connector=connector) as session,
        session.get("/events") as stream,
    ):
        await engine.restart()

        with pytest.raises(aiohttp.ClientPayloadError):
            await stream.content.read()

    assert happened(engine) == []


async def test_with_live_restore_containers_run_on(engine: EmbeddedEngine) -> None:
    id_ = engine.run("web")
    before = (await get(engine, f"/containers/{id_}/json"))["State"]["StartedAt"]

    await engine.restart(live_restore=True)

    assert (await get(engine, f"/containers/{id_}/json"))["State"]["StartedAt"] == before


async def test_stopped_and_started_it_keeps_its_state_id_and_address() -> None:
    engine = EmbeddedEngine("kept")
    await engine.start("tcp://127.0.0.1:0")
    url, id_ = engine.url, engine.run("web")
    await engine.stop()
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url.replace("tcp", "http") + "/_ping")

        await engine.start()

        assert engine.url == url
        async with session.get(url.replace("tcp", "http") + "/containers/json?all=1") as answer:
            assert [row["Id"] for row in await answer.json()] == [id_]
    await engine.stop()


async def test_a_socket_in_use_is_left_alone_and_a_stale_one_is_not(engine: EmbeddedEngine, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="another engine listens"):
        await EmbeddedEngine("second").start(engine.url)
    assert (await get(engine, "/info"))["Name"] == "direct"

    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "stale.sock"))
    async with EmbeddedEngine("third") as third:
        await third.stop()
        await third.start(f"unix://{tmp_path}/stale.sock")
        assert (await get(third, "/info"))["Name"] == "third"


def test_an_engine_s_id_comes_from_its_name() -> None:
    assert EmbeddedEngine("one").engine_id == EmbeddedEngine("one").engine_id != EmbeddedEngine("two").engine_id
    assert EmbeddedEngine("one", engine_id="MINE").engine_id == "MINE"


@pytest.mark.parametrize(
    ("newest", "oldest", "asked", "status"),
    [
        ("1.24", "1.12", "1.24", 200),
        ("1.24", "1.12", "1.25", 400),
        ("1.44", "1.24", "1.23", 400),
        ("1.52", "1.44", "1.43", 400),
        ("1.52", "1.44", "1.52", 200),
    ],
)
async def test_engines_of_any_version(newest: str, oldest: str, asked: str, status: int) -> None:
    async with EmbeddedEngine("aged", api_version=newest, min_api_version=oldest) as engine:
        connector = aiohttp.UnixConnector(engine.url.removeprefix("unix://"))
        async with aiohttp.ClientSession("http://engine", connector=connector) as session:
            async with session.head("/_ping") as ping:
                assert ping.headers["Api-Version"] == newest
            async with session.get(f"/v{asked}/info") as answer:
                assert answer.status == status


async def test_what_newer_versions_left_out(engine: EmbeddedEngine) -> None:
    async with EmbeddedEngine("new", api_version="1.52", min_api_version="1.44") as new:
        for each in (engine, new):
            each.run("web", health="healthy")
        old_settings, new_settings = [(await get(e, "/containers/web/json"))["NetworkSettings"] for e in (engine, new)]
        old_image, new_image = [await get(e, "/images/busybox/json") for e in (engine, new)]
        [old_row], [new_row] = [await get(e, "/containers/json") for e in (engine, new)]
        [event, *_] = (await get_text(new, f"/events?since=0&until={time.time() + 0.1:.3f}")).splitlines()

    assert old_settings.keys() - new_settings.keys() >= {"IPAddress", "Gateway", "MacAddress"}
    assert old_image.keys() - new_image.keys() >= {"VirtualSize", "Container", "ContainerConfig"}
    assert "Health" not in old_row
    assert new_row["Health"] == {"Status": "healthy", "FailingStreak": 0}
    assert not {"status", "id", "from"} & json.loads(event).keys()


async def test_serving_over_tls(tls_server: ssl.SSLContext, tls_client: ssl.SSLContext) -> None:
    engine = EmbeddedEngine("secure")
    await engine.start("tcp://127.0.0.1:0", ssl_context=tls_server)
    async with aiohttp.ClientSession() as session:
        async with session.get(engine.url.replace("tcp", "https") + "/info", ssl=tls_client) as answer:
            assert (await answer.json())["Name"] == "secure"
        with pytest.raises(aiohttp.ClientError):
            await session.get(engine.url.replace("tcp", "http") + "/info")
    await engine.stop()
