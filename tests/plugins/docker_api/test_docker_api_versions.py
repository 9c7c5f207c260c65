"""Engines of several ages as one cluster, under the stock docker CLI."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from skep import Agent, parse_settings
from skep.testing import EmbeddedEngine, wait_for

AGES = {
    "old": ("1.24", "1.12", "1.12.6"),
    "bookworm": ("1.41", "1.12", "20.10.24"),
    "trixie": ("1.45", "1.24", "26.1.5"),
    "newest": ("1.52", "1.44", "29.0.0"),
}
PLACING = ("constraint", "affinity", "dependency", "port", "health", "spread")


@dataclass
class Cluster:
    """The docker CLI on the endpoint of an agent."""

    agent: Agent
    engines: dict[str, EmbeddedEngine]
    env: dict[str, str]

    async def try_docker(self, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "docker", *arguments, env=self.env, stdin=pipe, stdout=pipe, stderr=pipe
        )
        async with asyncio.timeout(20):
            out, err = await process.communicate(stdin.encode())
        return process.returncode or 0, out.decode().strip(), err.decode()

    async def docker(self, *arguments: str, stdin: str = "") -> str:
        code, out, err = await self.try_docker(*arguments, stdin=stdin)
        assert code == 0, f"docker {' '.join(arguments)}: {err}"
        return out


@contextlib.asynccontextmanager
async def serve(names: list[str], folder: Path) -> AsyncIterator[Cluster]:
    """A cluster of engines of these ages."""
    if shutil.which("docker") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the docker CLI is not installed")
    async with contextlib.AsyncExitStack() as stack:
        engines = {}
        for name in names:
            newest, oldest, version = AGES[name]
            engine = EmbeddedEngine(name, api_version=newest, min_api_version=oldest, version=version)
            engines[name] = await stack.enter_async_context(engine)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            endpoint = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        settings = parse_settings(
            {
                "cluster": {"engines": [engine.url for engine in engines.values()]},
                "plugins": {"docker_api": {"listen": [endpoint]}} | {name: {} for name in PLACING},
            }
        )
        agent = await stack.enter_async_context(Agent(settings))
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "DOCKER_HOST": endpoint, "DOCKER_BUILDKIT": "0"}
        yield Cluster(agent, engines, env)


@pytest.fixture
async def mixed(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with serve(list(AGES), tmp_path) as cluster:
        yield cluster


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


async def test_each_engine_is_spoken_to_in_its_newest_version_and_clients_in_the_oldest(mixed: Cluster) -> None:
    spoken = {each.name: each.node.api_version for each in mixed.agent.cluster.state.nodes}
    assert spoken == {name: newest for name, (newest, _, _) in AGES.items()}
    assert await mixed.docker("version", "--format", "{{.Server.APIVersion}}") == "1.24"


@pytest.mark.parametrize("node", AGES)
async def test_a_containers_whole_life(node: str, mixed: Cluster) -> None:
    here = ("-e", f"constraint:node=={node}")
    id_ = await mixed.docker("run", "-d", "--name", "web", "-p", "8080:80", *here, "nginx")
    assert await mixed.docker("run", "-i", "--rm", *here, "busybox", "cat", stdin="through\n") == "through"
    shown = json.loads(await mixed.docker("inspect", "web"))[0]
    assert (shown["Id"], shown["Name"], shown["Node"]["Name"]) == (id_, "/web", node)
    assert shown["State"]["Status"] == "running"
    assert shown["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    row = rows(await mixed.docker("ps", "--no-trunc", "--format", "json"))[0]
    assert (row["ID"], row["Names"], row["State"]) == (id_, f"{node}/web", "running")
    assert ":8080->80/tcp" in row["Ports"]
    assert await mixed.docker("exec", "web", "echo", "inside") == "inside"
    await mixed.docker("run", "--name", "told", *here, "busybox", "echo", "words")
    assert await mixed.docker("logs", "told") == "words"
    assert await mixed.docker("wait", "told") == "0"
    for command in ("pause", "unpause", "restart", "kill"):
        await mixed.docker(command, "web")
    await mixed.docker("rename", "web", "other")
    await mixed.docker("start", "other")
    assert await mixed.docker("port", "other", "80")
    assert "PID" in await mixed.docker("top", "other")
    assert await mixed.docker("stats", "--no-stream", "--format", "{{.Name}}", f"{node}/other") == "other"
    await mixed.docker("rm", "-f", "other", "told")
    assert mixed.engines[node].state.containers == {}


async def test_links_and_ports_are_placed_over_all_ages(mixed: Cluster) -> None:
    for number in range(len(AGES)):
        await mixed.docker("run", "-d", "--name", f"web{number}", "-p", "80:80", "nginx")
    placed = await mixed.docker("ps", "--format", "{{.Names}}")
    assert {line.partition("/")[0] for line in placed.splitlines()} == set(AGES)
    code, _, err = await mixed.try_docker("run", "-d", "-p", "80:80", "nginx")
    assert code != 0
    assert "port 80" in err
    for row in placed.splitlines():
        node, _, web = row.partition("/")
        await mixed.docker("run", "-d", "--name", f"user-{node}", "--link", web, "busybox", "sleep", "9")
        known = mixed.agent.cluster.state.get_node(node)
        assert known is not None
        assert {c.name for c in known.containers.values()} == {web, f"user-{node}"}


async def test_images_networks_and_volumes_of_all_are_listed(mixed: Cluster) -> None:
    images = rows(await mixed.docker("images", "--format", "json"))
    assert sorted(row["Repository"] for row in images) == ["busybox", "counter", "nginx", "postgres", "redis"]
    assert "busybox" in await mixed.docker("image", "inspect", "--format", "{{.RepoTags}}", "busybox")
    networks = await mixed.docker("network", "ls", "--format", "{{.Name}}")
    assert {f"{name}/bridge" for name in AGES} <= set(networks.splitlines())
    for name, engine in mixed.engines.items():
        await mixed.docker("run", "-v", f"data-{name}:/data", "-e", f"constraint:node=={name}", "busybox", "true")
        assert f"data-{name}" in engine.state.volumes
    volumes = await mixed.docker("volume", "ls", "--quiet")
    assert {line.rpartition("/")[2] for line in volumes.splitlines()} == {f"data-{name}" for name in AGES}
    info = json.loads(await mixed.docker("info", "--format", "json"))
    assert (info["Containers"], info["ContainersStopped"]) == (4, 4)


async def test_events_of_all_come_in_one_stream(mixed: Cluster) -> None:
    process = await asyncio.create_subprocess_exec(
        *("docker", "events", "--filter", "event=start", "--format", "{{json .}}"),
        env=mixed.env,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        log = mixed.agent.plugins.plugins["docker_api"].event_log
        await wait_for(lambda: log.listeners == 1)
        found: set[str] = set()
        for engine in mixed.engines.values():
            engine.run("late")
        async with asyncio.timeout(20):
            while found != set(AGES):
                event = json.loads(await process.stdout.readline())
                assert (event["status"], event["id"]) == ("start", event["Actor"]["ID"])
                assert event["from"].startswith("busybox:latest node:")
                found.add(event["Actor"]["Attributes"]["node.name"])
    finally:
        process.terminate()
        await process.wait()


async def test_a_cluster_of_the_newest_alone_speaks_it_to_clients(tmp_path: Path) -> None:
    async with serve(["newest"], tmp_path) as cluster:
        assert float((await cluster.docker("version", "--format", "{{.Server.APIVersion}}")).partition(".")[2]) == 52
        await cluster.docker("run", "-d", "--name", "web", "-p", "8080:80", "nginx")
        assert "web" in await cluster.docker("ps", "--format", "{{.Names}}")
        assert "nginx" in await cluster.docker("images", "--format", "{{.Repository}}")
