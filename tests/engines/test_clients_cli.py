"""The stock docker commands of two generations, on one engine and on four: what a user types in an hour, and what is shown."""

from __future__ import annotations

import json
import time

import pytest

from contrib.lab import Host
from tests.engines.clients import Served, one_and_four

__all__ = ["one_and_four"]

COMMANDS = {"newest": "docker", "bookworm": "/usr/bin/docker"}
"""The newest docker command on the path, and that of Debian's docker.io, which runs the engines too."""


@pytest.fixture(params=COMMANDS)
def docker(request: pytest.FixtureRequest) -> str:
    """One of the docker commands."""
    return COMMANDS[request.param]


async def test_both_are_what_they_are_taken_for(engine: Host) -> None:
    shown = await engine.run("/usr/bin/docker", "--version")
    assert shown.startswith("Docker version 20.10.")


async def test_an_hour_at_the_prompt(one_and_four: Served, docker: str) -> None:
    run = one_and_four.run
    id_ = await run(
        docker, "run", "-d", "--name", "web", "-l", "a=b", "--stop-signal", "KILL", "busybox", "sleep", "90"
    )
    node = (await run(docker, "inspect", "-f", "{{.Node.Name}}", "web")).strip()
    shown = f"{node}/web" if one_and_four.several else "web"
    assert await run(docker, "ps", "--format", "{{.Names}} {{.ID}}") == f"{shown} {id_[:12]}"
    assert await run(docker, "exec", "web", "sh", "-c", "echo $((40+2))") == "42"
    assert await run(docker, "exec", "-i", "web", "cat", stdin=b"hi\n") == "hi"
    assert await run(docker, "exec", "web", "false", fails=True) == ""
    (one_and_four.home / "file").write_text("text\n")
    await run(docker, "cp", "file", f"{shown}:/tmp/file")
    assert await run(docker, "exec", "web", "cat", "/tmp/file") == "text"
    await run(docker, "cp", "web:/tmp/file", "back")
    assert (one_and_four.home / "back").read_text() == "text\n"
    assert "A /tmp/file" in await run(docker, "diff", "web")
    assert "sleep 90" in await run(docker, "top", "web")
    assert await run(docker, "rename", "web", "other") == ""
    assert await run(docker, "stop", "other") == "other"
    assert await run(docker, "wait", "other") == "137"
    assert await run(docker, "ps", "-aq", "--filter", "status=exited") == id_[:12]
    assert await run(docker, "rm", "other") == "other"
    assert "No such container: other" in await run(docker, "start", "other", fails=True)


async def test_run_in_the_foreground(one_and_four: Served, docker: str) -> None:
    run = one_and_four.run
    assert await run(docker, "run", "--rm", "busybox", "echo", "hi") == "hi"
    assert await run(docker, "run", "--rm", "-i", "busybox", "sha1sum", stdin=b"hi\n") == (
        "55ca6286e3e4f4fba5d0448333fa99fc5a404a73  -"
    )
    assert "not found" in await run(docker, "run", "--rm", "busybox", "nope", fails=True)
    assert await run(docker, "ps", "-aq") == ""


async def test_images_networks_and_volumes(one_and_four: Served, docker: str) -> None:
    run = one_and_four.run
    (one_and_four.home / "Dockerfile").write_text("FROM busybox\nRUN echo built > /built\n")
    assert "Successfully tagged made:one" in await run(docker, "build", "-t", "made:one", ".")
    assert await run(docker, "run", "--rm", "made:one", "cat", "/built") == "built"
    await run(docker, "tag", "made:one", "made:two")
    assert set((await run(docker, "images", "--format", "{{.Tag}}", "made")).splitlines()) == {"one", "two"}
    await run(docker, "save", "-o", "made.tar", "made:two")
    await run(docker, "rmi", "made:one", "made:two")
    assert "made:two" in await run(docker, "load", "-i", "made.tar")
    assert "Untagged: made:two" in await run(docker, "rmi", "made:two")
    assert "No such image: made:two" in await run(docker, "rmi", "made:two", fails=True)
    await run(docker, "network", "create", "inner")
    where = await run(docker, "network", "ls", "--filter", "name=inner", "--format", "{{.Name}}")
    assert where.split("/")[-1] == "inner"
    await run(docker, "network", "rm", "inner")
    assert await run(docker, "volume", "create", "data") == "data"
    assert await run(docker, "volume", "inspect", "-f", "{{.Driver}}", "data") == "local"
    await run(docker, "volume", "rm", "data")


async def test_events_and_logs_that_follow(one_and_four: Served, docker: str) -> None:
    run = one_and_four.run
    asked = ("--filter", "type=container", "--format", "{{json .}}", "--since", str(time.time()), "--until")
    await run(
        docker, "run", "-d", "--name", "talk", "busybox", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done"
    )
    assert (await run(docker, "logs", "-f", "talk")).split() == ["1", "2", "3"]
    await run(docker, "wait", "talk")
    told = [json.loads(line) for line in (await run(docker, "events", *asked, str(time.time() + 1))).splitlines()]
    mine = [each["Action"] for each in told if each["Actor"]["Attributes"].get("name") == "talk"]
    assert [each for each in mine if each in ("create", "start", "die")] == ["create", "start", "die"]
    assert "Containers: 1" in await run(docker, "info")
    assert "ApiVersion" in await run(docker, "version", "--format", "{{json .Server}}")
