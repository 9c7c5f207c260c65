"""docker-compose of two generations, on one engine and on four: up, scale, logs, exec, build, links, down."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from contrib.lab.packages import fetch
from tests.engines.clients import Served, one_and_four, plain_one_and_four

__all__ = ["one_and_four", "plain_one_and_four"]

# On four engines there is no network over all of them: the bridge of each is what they have in common.
PROJECT = """
version: "2.4"
services:
  web:
    build: .
    command: sh -c 'trap exit TERM; echo serving; while sleep 0.1; do :; done'
    network_mode: bridge
  db:
    image: busybox
    command: sh -c 'trap exit TERM; echo storing; while sleep 0.1; do :; done'
    network_mode: bridge
    labels: {tier: back}
"""
LINKED = """
version: "2.4"
services:
  db:
    image: busybox
    command: sh -c 'trap exit TERM; while sleep 0.1; do :; done'
    network_mode: bridge
  web:
    image: busybox
    command: sh -c 'trap exit TERM; while sleep 0.1; do :; done'
    network_mode: bridge
    links: ["db:store"]
"""
NETWORKED = """
version: "2.4"
services:
  one:
    image: busybox
    command: sh -c 'trap exit TERM; while sleep 0.1; do :; done'
    volumes: ["data:/data"]
  two:
    image: busybox
    command: sh -c 'trap exit TERM; while sleep 0.1; do :; done'
volumes:
  data: {}
"""


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The compose of Debian's next release."""
    where = tmp_path_factory.mktemp("compose")
    fetch("trixie", where, ("docker-compose",))
    return str(where / "usr/libexec/docker/cli-plugins/docker-compose")


@pytest.fixture(params=["1.29", "2.26"])
def compose(request: pytest.FixtureRequest) -> str:
    """One of both generations."""
    if request.param == "2.26":
        program: str = request.getfixturevalue("trixie")
        return program
    found = shutil.which("docker-compose")
    if found is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("docker-compose is not installed")
    return found


def project(served: Served, text: str) -> Path:
    folder = served.home / "shop"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text(text)
    (folder / "Dockerfile").write_text("FROM busybox\nRUN echo built > /built\n")
    return folder


async def names(served: Served) -> list[str]:
    shown = await served.run("docker", "ps", "--format", "{{.Names}}")
    return sorted(name.rpartition("/")[2].replace("_", "-") for name in shown.split())


async def test_up_scale_logs_exec_down(one_and_four: Served, compose: str) -> None:
    folder = project(one_and_four, PROJECT)

    async def run(*words: str) -> str:
        return await one_and_four.run(compose, *words, cwd=folder)

    await run("up", "-d", "--build")
    assert await names(one_and_four) == ["shop-db-1", "shop-web-1"]
    assert (await run("exec", "-T", "web", "cat", "/built")).endswith("built")
    await run("up", "-d", "--scale", "web=3")
    assert await names(one_and_four) == ["shop-db-1", "shop-web-1", "shop-web-2", "shop-web-3"]
    logs = await run("logs", "--no-color")
    assert (logs.count("serving"), logs.count("storing")) == (3, 1)
    await run("stop", "db")
    assert "shop-db-1" not in await names(one_and_four)
    await run("up", "-d", "--scale", "web=1")
    assert await names(one_and_four) == ["shop-db-1", "shop-web-1"]
    await run("down", "--rmi", "local")
    assert await one_and_four.run("docker", "ps", "-aq") == ""


async def test_links_share_a_node(one_and_four: Served, compose: str) -> None:
    folder = project(one_and_four, LINKED)
    await one_and_four.run(compose, "up", "-d", cwd=folder)
    ids = (await one_and_four.run("docker", "ps", "-q")).split()
    shown = json.loads(await one_and_four.run("docker", "inspect", *ids))
    assert len({each["Node"]["Name"] for each in shown}) == 1
    hosts = await one_and_four.run(compose, "exec", "-T", "web", "cat", "/etc/hosts", cwd=folder)
    assert "store" in hosts
    await one_and_four.run(compose, "down", cwd=folder)


async def test_a_network_and_a_volume_of_its_own(plain_one_and_four: Served, compose: str) -> None:
    # Compose 2 takes no network for its own that is listed with a node before its name.
    folder = project(plain_one_and_four, NETWORKED)
    await plain_one_and_four.run(compose, "up", "-d", cwd=folder)
    assert await names(plain_one_and_four) == ["shop-one-1", "shop-two-1"]
    assert "64 bytes" in await plain_one_and_four.run(
        compose, "exec", "-T", "one", "ping", "-c", "1", "-W", "5", "two", cwd=folder
    )
    await plain_one_and_four.run(compose, "down", "-v", cwd=folder)
    assert await plain_one_and_four.run("docker", "volume", "ls", "-q") == ""
    assert "shop" not in await plain_one_and_four.run("docker", "network", "ls")
