"""The life of a container as the API shows it: states, lists, filters, logs, wait."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .api import Subject, frames


async def test_from_created_to_gone(engine: Subject) -> None:
    id_ = await engine.create("living")
    state = (await engine.inspect(id_))["State"]
    assert (state["Status"], state["Running"], state["StartedAt"]) == (
        "created",
        False,
        "0001-01-01T00:00:00Z",
    )

    assert (await engine.post(f"/containers/{id_}/start")).status == 204
    assert (await engine.post(f"/containers/{id_}/start")).status == 304
    state = (await engine.inspect(id_))["State"]
    assert (state["Status"], state["Running"], state["ExitCode"]) == ("running", True, 0)
    assert state["Pid"] > 0

    assert (await engine.post(f"/containers/{id_}/stop", t="0")).status == 204
    assert (await engine.post(f"/containers/{id_}/stop", t="0")).status == 304
    state = (await engine.inspect(id_))["State"]
    assert (state["Status"], state["Running"], state["ExitCode"], state["Pid"]) == ("exited", False, 137, 0)

    assert (await engine.delete(f"/containers/{id_}")).status == 204
    assert (await engine.get(f"/containers/{id_}/json")).status == 404


async def test_pause_is_a_state_of_running(engine: Subject) -> None:
    id_ = await engine.run("paused")

    assert (await engine.post(f"/containers/{id_}/pause")).status == 204

    state = (await engine.inspect(id_))["State"]
    assert (state["Status"], state["Running"], state["Paused"]) == ("paused", True, True)
    [row] = (await engine.get("/containers/json", filters={"id": [id_]})).body
    assert row["State"] == "paused"
    assert row["Status"].endswith(" (Paused)")
    assert (await engine.post(f"/containers/{id_}/unpause")).status == 204


async def test_a_container_is_found_by_id_name_and_prefix(engine: Subject) -> None:
    id_ = await engine.create("named")

    for name in (id_, id_[:12], id_[:5], "named", "/named"):
        assert (await engine.inspect(name))["Id"] == id_


async def test_rename(engine: Subject) -> None:
    id_ = await engine.create("before")

    assert (await engine.post(f"/containers/{id_}/rename", name="after")).status == 204

    assert (await engine.inspect("after"))["Name"] == "/after"
    assert (await engine.get("/containers/before/json")).status == 404
    assert (await engine.create("before")) != id_


async def test_addresses_and_ports_are_gone_when_it_stops(engine: Subject) -> None:
    published = {"ExposedPorts": {"80/tcp": {}}, "HostConfig": {"PublishAllPorts": True}}
    id_ = await engine.run("leaving", **published)
    settings = (await engine.inspect(id_))["NetworkSettings"]
    assert settings["IPAddress"] == settings["Networks"]["bridge"]["IPAddress"] != ""
    assert settings["Ports"]["80/tcp"]

    await engine.post(f"/containers/{id_}/stop", t="0")

    settings = (await engine.inspect(id_))["NetworkSettings"]
    assert (settings["IPAddress"], settings["Ports"]) == ("", {})
    assert settings["Networks"]["bridge"]["IPAddress"] == ""


async def test_only_exposed_ports_are_published(engine: Subject) -> None:
    id_ = await engine.run("unexposed", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "18082"}]}})

    assert (await engine.inspect(id_))["NetworkSettings"]["Ports"] == {}


@pytest.mark.parametrize(("mode", "networks"), [("none", ["none"]), ("host", ["host"]), ("default", ["bridge"])])
async def test_network_modes(engine: Subject, mode: str, networks: list[str]) -> None:
    id_ = await engine.run("moded", HostConfig={"NetworkMode": mode})

    found = await engine.inspect(id_)

    assert list(found["NetworkSettings"]["Networks"]) == networks
    assert bool(found["NetworkSettings"]["IPAddress"]) == (mode == "default")


async def test_sharing_another_container_s_network(engine: Subject) -> None:
    owner = await engine.run("owner")
    id_ = await engine.run("sharing", HostConfig={"NetworkMode": "container:owner"})

    found = await engine.inspect(id_)

    assert found["HostConfig"]["NetworkMode"] == f"container:{owner}"
    assert found["NetworkSettings"]["Networks"] == {}


async def _names(engine: Subject, **query: Any) -> list[str]:
    rows = (await engine.get("/containers/json", **query)).body
    return [row["Names"][0].removeprefix("/") for row in rows]


async def test_the_list_has_the_newest_first_and_only_what_runs(engine: Subject) -> None:
    await engine.run("list-one")
    await engine.create("list-two")
    await engine.run("list-three")
    mine = {"name": ["list-"]}

    assert await _names(engine, filters=mine) == ["list-three", "list-one"]
    assert await _names(engine, filters=mine, all="1") == ["list-three", "list-two", "list-one"]
    assert await _names(engine, filters=mine, limit="2") == ["list-three", "list-two"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": ["exited"]}, ["f-exited"]),
        ({"status": ["exited", "created"]}, ["f-created", "f-exited"]),
        ({"label": ["role=web"]}, ["f-running"]),
        ({"label": ["role"]}, ["f-running", "f-exited", "f-created"]),
        ({"label": ["role", "tier=1"]}, ["f-running"]),
        ({"name": ["^/f-run"]}, ["f-running"]),
        ({"exited": ["3"]}, ["f-exited"]),
        ({"before": ["f-created"]}, ["f-exited"]),
        ({"since": ["f-exited"]}, ["f-running", "f-created"]),
        ({"ancestor": ["busybox"]}, ["f-running", "f-exited", "f-created"]),
        ({"ancestor": ["nosuch"]}, []),
        ({"health": ["none"]}, ["f-running", "f-exited", "f-created"]),
        ({"volume": ["/data"]}, ["f-created"]),
        ({"network": ["bridge"]}, ["f-running", "f-exited", "f-created"]),
        ({"network": ["host"]}, []),
    ],
)
async def test_filters(engine: Subject, filters: dict[str, list[str]], expected: list[str]) -> None:
    exited = await engine.run("f-exited", "sh", "-c", "exit 3", Labels={"role": "batch"})
    await engine.create("f-created", Labels={"role": "x"}, Volumes={"/data": {}})
    await engine.run("f-running", Labels={"role": "web", "tier": "1"})
    await engine.until(exited, "exited")
    name = filters.get("name", ["^/f-"])

    assert sorted(await _names(engine, all="1", filters={**filters, "name": name})) == sorted(expected)


@pytest.mark.parametrize(
    ("filters", "message"),
    [({"bogus": ["x"]}, "Invalid filter 'bogus'"), ({"status": ["bogus"]}, "Invalid filter 'status=bogus'")],
)
async def test_filters_that_do_not_exist(engine: Subject, filters: dict[str, list[str]], message: str) -> None:
    answer = await engine.get("/containers/json", filters=filters)

    assert (answer.status, answer.message) == (400, message)


async def _logs(engine: Subject, id_: str, query: str) -> dict[int, bytes]:
    return frames((await engine.get(f"/containers/{id_}/logs?{query}")).body)


async def test_logs(engine: Subject) -> None:
    id_ = await engine.run("logging", "sh", "-c", "echo one; echo two; echo bad >&2")
    await engine.until(id_, "exited")

    assert await _logs(engine, id_, "stdout=1&stderr=1") == {1: b"one\ntwo\n", 2: b"bad\n"}
    assert await _logs(engine, id_, "stdout=1&tail=1") in ({1: b"two\n"}, {})
    assert await _logs(engine, id_, "stdout=1&tail=all") == {1: b"one\ntwo\n"}
    stamped = (await _logs(engine, id_, "stderr=1&timestamps=1"))[2].decode()
    assert stamped.startswith("20")
    assert stamped.endswith("Z bad\n")


async def test_followed_logs_end_with_the_container(engine: Subject) -> None:
    id_ = await engine.run("logging", "sh", "-c", "echo one; sleep 0.3; echo two")

    assert await _logs(engine, id_, "stdout=1&follow=1") == {1: b"one\ntwo\n"}


async def test_a_terminal_s_log_is_raw(engine: Subject) -> None:
    id_ = await engine.run("terminal", "echo", "hello", Tty=True)
    await engine.until(id_, "exited")

    assert (await engine.get(f"/containers/{id_}/logs?stdout=1")).body == b"hello\r\n"


async def test_wait_for_the_end(engine: Subject) -> None:
    id_ = await engine.run("ending", "sh", "-c", "sleep 0.3; exit 7")

    answer = await engine.post(f"/containers/{id_}/wait")

    assert (answer.status, answer.body) == (200, {"Error": None, "StatusCode": 7})
    assert (await engine.post(f"/containers/{id_}/wait")).body["StatusCode"] == 7


async def test_wait_answers_its_head_at_once(engine: Subject) -> None:
    """The CLI starts a container only when it has the head of the answer to its wait."""
    id_ = await engine.create("waited")
    url = f"http://engine/v1.41/containers/{id_}/wait?condition=next-exit"
    async with asyncio.timeout(10), engine.session.post(url) as answer:
        await engine.post(f"/containers/{id_}/start")
        await engine.post(f"/containers/{id_}/kill")

        assert (await answer.json())["StatusCode"] == 137


async def test_wait_for_the_removal(engine: Subject) -> None:
    id_ = await engine.create("waited", "true", HostConfig={"AutoRemove": True})
    url = f"http://engine/v1.41/containers/{id_}/wait?condition=removed"
    async with asyncio.timeout(10), engine.session.post(url) as answer:
        await engine.post(f"/containers/{id_}/start")

        assert (await answer.json())["StatusCode"] == 0
    assert (await engine.get(f"/containers/{id_}/json")).status == 404


async def test_update(engine: Subject) -> None:
    id_ = await engine.run("updated")

    answer = await engine.post(f"/containers/{id_}/update", {"CpuShares": 300})

    assert answer.status == 200
    assert (await engine.inspect(id_))["HostConfig"]["CpuShares"] == 300


async def test_unless_stopped_comes_back_until_it_is_stopped(engine: Subject) -> None:
    policy = {"RestartPolicy": {"Name": "unless-stopped"}}
    async with engine.recorded(type=["container"]) as recorder:
        id_ = await engine.run("returning", "sh", "-c", "sleep 0.2; exit 1", HostConfig=policy)
        await recorder.until("start")
        await recorder.until("start")
    await engine.post(f"/containers/{id_}/stop", t="0")

    found = await engine.until(id_, "exited")
    assert found["RestartCount"] >= 1
