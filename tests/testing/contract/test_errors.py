"""What goes wrong, and how both engines say it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .api import SLEEP, Subject

TAKEN = r'Conflict. The container name "/taken" is already in use by container "[0-9a-f]{64}". .*'
ID = "[0-9a-f]{64}"


@pytest.mark.parametrize(
    ("body", "query", "status", "message"),
    [
        ({"Image": "nosuch", "Cmd": ["x"]}, {}, 404, "No such image: nosuch:latest"),
        ({"Image": "nosuch:tag", "Cmd": ["x"]}, {}, 404, "No such image: nosuch:tag"),
        (SLEEP, {"name": "taken"}, 409, TAKEN),
        (SLEEP, {"name": "a/b"}, 400, r"Invalid container name \(a/b\), only .* are allowed"),
        (SLEEP, {"name": "x"}, 400, r"Invalid container name \(x\), only .* are allowed"),
        (b'{"Image": "busybox"', {}, 500, "unexpected EOF"),
        (b"", {}, 500, "EOF"),
        ({}, {}, 400, "Config cannot be empty in order to create a container"),
        ({"Image": 5}, {}, 500, "json: cannot unmarshal number into Go struct field .*Image of type string"),
        (
            {"Image": "busybox", "Env": {}},
            {},
            500,
            "json: cannot unmarshal object into Go struct field .*Env of .*",
        ),
        ({**SLEEP, "HostConfig": {"Memory": 1000}}, {}, 400, "Minimum memory limit allowed is 6MB"),
        ({**SLEEP, "HostConfig": {"Links": ["nosuch:x"]}}, {}, 400, "could not get container for nosuch: .*"),
        ({**SLEEP, "HostConfig": {"VolumesFrom": ["nosuch"]}}, {}, 400, "No such container: nosuch"),
        (
            {**SLEEP, "HostConfig": {"RestartPolicy": {"Name": "bogus"}}},
            {},
            400,
            "invalid restart policy 'bogus'",
        ),
        (
            {**SLEEP, "HostConfig": {"RestartPolicy": {"Name": "always"}, "AutoRemove": True}},
            {},
            400,
            "can't create 'AutoRemove' container with restart policy",
        ),
        ({**SLEEP, "HostConfig": {"Binds": ["a/b:/c"]}}, {}, 400, "create a/b: .* invalid characters .*"),
    ],
)
async def test_create_refuses(engine: Subject, body: Any, query: dict[str, str], status: int, message: str) -> None:
    await engine.create("taken")

    answer = await engine.post("/containers/create", body, **query)

    assert answer.status == status
    assert re.fullmatch(message, answer.message), answer.message


@pytest.mark.parametrize("action", ["start", "stop", "restart", "kill", "pause", "unpause", "wait", "update", "exec"])
async def test_no_such_container(engine: Subject, action: str) -> None:
    body = {"Cmd": ["x"]} if action in ("update", "exec") else None

    answer = await engine.post(f"/containers/nosuch/{action}", body)

    assert answer.status == 404
    assert answer.message.endswith("No such container: nosuch")


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/containers/nosuch/json", 404, "No such container: nosuch"),
        ("GET", "/containers/nosuch/logs?stdout=1", 404, "No such container: nosuch"),
        ("DELETE", "/containers/nosuch", 404, "No such container: nosuch"),
        ("GET", "/containers/stopped/logs", 400, "Bad parameters: you must choose at least one stream"),
        (
            "POST",
            "/containers/stopped/kill",
            409,
            f"Cannot kill container: stopped: Container {ID} is not running",
        ),
        ("POST", "/containers/stopped/pause", 409, f"Container {ID} is not running"),
        ("POST", "/containers/stopped/unpause", 500, f"Container {ID} is not paused"),
        ("GET", "/containers/stopped/top", 409, f"Container {ID} is not running"),
        ("POST", "/containers/stopped/rename?name=", 400, "Neither old nor new names may be empty"),
        ("POST", "/containers/running/kill?signal=BOGUS", 400, "Invalid signal: BOGUS"),
        (
            "POST",
            "/containers/running/rename?name=stopped",
            409,
            "Error when allocating new name: Conflict. .*",
        ),
        (
            "POST",
            "/containers/running/rename?name=running",
            400,
            "Renaming a container with the same name as its current name",
        ),
        (
            "DELETE",
            "/containers/running",
            409,
            f"You cannot remove a running container {ID}. Stop the container before .*",
        ),
        (
            "DELETE",
            "/containers/paused",
            409,
            f"You cannot remove a paused container {ID}. Unpause and then stop the container before .*",
        ),
        ("POST", "/containers/paused/pause", 409, f"Container {ID} is already paused"),
        ("POST", "/containers/paused/start", 409, "cannot start a paused container, try unpause instead"),
        ("GET", "/containers/json?limit=x", 500, 'strconv.Atoi: parsing "x": invalid syntax'),
        ("GET", "/images/nosuch/json", 404, "no such image: nosuch: No such image: nosuch:latest"),
        ("DELETE", "/images/nosuch", 404, "No such image: nosuch:latest"),
        ("POST", "/images/nosuch/tag?repo=a&tag=b", 404, "No such image: nosuch:latest"),
        ("GET", "/networks/nosuch", 404, "network nosuch not found"),
        ("DELETE", "/networks/bridge", 403, "bridge is a pre-defined network and cannot be removed"),
        ("GET", "/volumes/nosuch", 404, "get nosuch: no such volume"),
        ("DELETE", "/volumes/nosuch", 404, "get nosuch: no such volume"),
        ("GET", "/exec/nosuch/json", 404, "No such exec instance: nosuch"),
        ("GET", "/events?since=10&until=5", 400, ".since. time .10. cannot be after .until. time .5."),
        ("POST", "/commit?container=nosuch", 404, "No such container: nosuch"),
    ],
)
async def test_refusals(engine: Subject, method: str, path: str, status: int, message: str) -> None:
    await engine.create("stopped")
    if "running" in path:
        await engine.run("running")
    if "paused" in path:
        await engine.run("paused")
        await engine.post("/containers/paused/pause")
    body: Any = {} if path.startswith("/commit") else None

    answer = await engine.call(method, path, body)

    assert answer.status == status
    assert re.fullmatch(message, answer.message), answer.message


async def test_exec_refusals(engine: Subject) -> None:
    await engine.create("stopped")
    await engine.run("paused")
    await engine.post("/containers/paused/pause")

    stopped = await engine.post("/containers/stopped/exec", {"Cmd": ["true"]})
    paused = await engine.post("/containers/paused/exec", {"Cmd": ["true"]})
    empty = await engine.post("/containers/paused/exec", {"Cmd": []})
    broken = await engine.post("/containers/paused/exec", b'{"Cmd": [')

    assert (stopped.status, stopped.message) == (409, f"Container {engine.created[0]} is not running")
    assert (paused.status, paused.message) == (
        409,
        "Container paused is paused, unpause the container before exec",
    )
    assert (empty.status, empty.message) == (400, "No exec command specified")
    assert (broken.status, broken.message) == (400, "unexpected EOF")


async def test_a_host_port_is_given_once(engine: Subject) -> None:
    published = {
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "18080"}]}},
    }
    await engine.run("holder", **published)
    second = await engine.create("second", **published)

    answer = await engine.post(f"/containers/{second}/start")

    why = r"driver failed programming external connectivity on endpoint second \([0-9a-f]{64}\): "
    why += r"Bind for 0.0.0.0:18080 failed: port is already allocated"
    assert answer.status == 500
    assert re.fullmatch(why, answer.message)
    state = (await engine.inspect(second))["State"]
    assert (state["Status"], state["ExitCode"], state["Error"]) == ("created", 128, answer.message)


@pytest.mark.parametrize(
    ("mode", "status", "message"),
    [("nosuch", 404, "network nosuch not found"), ("container:nosuch", 404, "No such container: nosuch")],
)
async def test_a_missing_network_is_seen_at_the_start(engine: Subject, mode: str, status: int, message: str) -> None:
    id_ = await engine.create("lost", HostConfig={"NetworkMode": mode})

    answer = await engine.post(f"/containers/{id_}/start")

    assert (answer.status, answer.message) == (status, message)


async def test_a_start_takes_no_body(engine: Subject) -> None:
    id_ = await engine.create("bodied")

    answer = await engine.post(f"/containers/{id_}/start", {"Binds": ["/a:/b"]})

    assert answer.status == 400
    assert answer.message.startswith("starting container with non-empty request body was deprecated")
