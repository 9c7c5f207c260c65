"""Ping, versions, info: what a client learns before it asks for anything."""

from __future__ import annotations

import pytest

from .api import Subject


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_ping_names_the_versions_in_its_headers(engine: Subject, method: str) -> None:
    answer = await engine.call(method, "/_ping", prefix="")

    assert answer.status == 200
    assert answer.body == (b"OK" if method == "GET" else b"")
    assert answer.headers["Api-Version"] == "1.41"
    assert answer.headers["Ostype"] == "linux"
    assert answer.headers["Docker-Experimental"] == "false"
    assert answer.headers["Server"].startswith("Docker/20.10")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


async def test_every_answer_carries_the_engine_s_headers(engine: Subject) -> None:
    for path in ("/info", "/containers/json", "/containers/nosuch/json"):
        answer = await engine.get(path)
        assert answer.headers["Api-Version"] == "1.41"
        assert answer.headers["Content-Type"] == "application/json"


async def test_version_tells_newest_and_oldest_api(engine: Subject) -> None:
    body = (await engine.get("/version")).body

    assert (body["ApiVersion"], body["MinAPIVersion"], body["Os"]) == ("1.41", "1.12", "linux")
    assert body["Components"][0]["Name"] == "Engine"


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("/v1.42", "client version 1.42 is too new. Maximum supported API version is 1.41"),
        ("/v2.0", "client version 2.0 is too new. Maximum supported API version is 1.41"),
        (
            "/v1.11",
            "client version 1.11 is too old. Minimum supported API version is 1.12, "
            "please upgrade your client to a newer version",
        ),
    ],
)
async def test_versions_out_of_range_are_refused(engine: Subject, prefix: str, message: str) -> None:
    answer = await engine.call("GET", "/info", prefix=prefix)

    text = answer.body.decode().strip() if isinstance(answer.body, bytes) else answer.message
    assert (answer.status, text) == (400, message)


async def test_without_a_version_the_newest_is_spoken(engine: Subject) -> None:
    answer = await engine.call("GET", "/info", prefix="")

    assert answer.status == 200
    assert "tier=test" in answer.body["Labels"]


async def test_info_counts_containers_by_state(engine: Subject) -> None:
    before = (await engine.get("/info")).body
    await engine.create("counted-created")
    await engine.run("counted-running")
    paused = await engine.run("counted-paused")
    await engine.post(f"/containers/{paused}/pause")

    after = (await engine.get("/info")).body

    keys = ("Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped")
    assert [after[key] - before[key] for key in keys] == [3, 1, 1, 1]


@pytest.mark.parametrize("path", ["/nodes", "/services", "/tasks", "/secrets", "/configs", "/swarm"])
async def test_swarm_paths_say_that_there_is_none(engine: Subject, path: str) -> None:
    answer = await engine.get(path)

    assert answer.status == 503
    assert answer.message.startswith("This node is not a swarm manager.")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nosuch"), ("POST", "/info"), ("GET", "/containers/x/start")])
async def test_unknown_paths(engine: Subject, method: str, path: str) -> None:
    answer = await engine.call(method, path)

    assert (answer.status, answer.message) == (404, "page not found")
