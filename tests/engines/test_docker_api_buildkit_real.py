"""BuildKit of real engines through the endpoint: bookworm's docker command asks the engine for the build, trixie's buildx BuildKit itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from contrib.lab import Lab
from contrib.lab.fixtures import require_engines
from contrib.lab.packages import fetch
from skep import Agent, parse_settings
from tests.engines.conftest import Endpoint

BOOKWORM = "/usr/bin/docker"
DOCKERFILE = "FROM busybox\nCOPY greeting /greeting\nRUN cat /greeting /greeting > /twice\n"


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Engine and buildx of Debian's next release."""
    require_engines()
    folder = tmp_path_factory.mktemp("trixie-engine")
    fetch("trixie", folder, ("docker.io", "containerd", "docker-buildx"))
    return folder


@asynccontextmanager
async def endpoint(lab: Lab, folder: Path, **more: Any) -> AsyncIterator[Endpoint]:
    url = f"unix://{folder}/skep.sock"
    placement: dict[str, dict[str, Any]] = {name: {} for name in ("health", "affinity", "constraint", "spread")}
    settings = {
        "cluster": {"engines": [host.url for host in lab.hosts.values()]},
        "plugins": {**placement, "docker_api": {"listen": [url], **more}},
    }
    async with Agent(parse_settings(settings)) as agent:
        yield Endpoint(agent, url, lab)


async def run(at: Endpoint, folder: Path, *command: str, stdin: bytes = b"") -> str:
    """Run a client of docker; what it printed."""
    pipe = asyncio.subprocess.PIPE
    environment = {"DOCKER_HOST": at.url, "BUILDKIT_PROGRESS": "plain", "DOCKER_CONFIG": str(folder)}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.STDOUT, env={**os.environ, **environment}
    )
    try:
        async with asyncio.timeout(60):
            output, _ = await process.communicate(stdin)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    return output.decode()


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "greeting").write_text("hi\n")
    return folder


def holders(at: Endpoint, tag: str) -> set[str]:
    """The nodes that have an image."""
    return {node.name for node in at.agent.cluster.state.nodes if any(tag in image.tags for image in node.images)}


async def test_bookworms_command(cluster_lab: Lab, tmp_path: Path, context: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("DOCKER_BUILDKIT", "1")
    async with endpoint(cluster_lab, tmp_path) as at:
        where = ("--build-arg", "constraint:node==backend2")
        told = await run(at, tmp_path, BOOKWORM, "build", "-t", "kit:1", *where, str(context))
        assert "transferring context" in told
        assert holders(at, "kit:1") == {"backend2"}
        text = b"FROM busybox\nRUN echo made > /made\n"
        await run(at, tmp_path, BOOKWORM, "build", "-t", "kit:2", *where, "-", stdin=text)
        assert holders(at, "kit:2") == {"backend2"}
        assert await run(at, tmp_path, BOOKWORM, "run", "--rm", "kit:1", "cat", "/twice") == "hi\nhi\n"
        await run(at, tmp_path, BOOKWORM, "rmi", "kit:1", "kit:2")
        assert "Total" in await run(at, tmp_path, BOOKWORM, "builder", "prune", "-f")


async def test_trixies_buildx(trixie: Path, tmp_path: Path, context: Path) -> None:
    (tmp_path / "cli-plugins").mkdir()
    (tmp_path / "cli-plugins/docker-buildx").symlink_to(trixie / "usr/libexec/docker/cli-plugins/docker-buildx")
    async with Lab(["kit1", "kit2"], engine_dir=trixie) as lab, endpoint(lab, tmp_path) as at:
        assert "running" in await run(at, tmp_path, "docker", "buildx", "ls")
        for tag in ("kit:1", "kit:2"):  # one after the other, to one node
            told = await run(at, tmp_path, "docker", "build", "-t", tag, str(context))
            assert "using docker driver" in told
        async with asyncio.timeout(10):
            while not holders(at, "kit:2"):
                await asyncio.sleep(0.05)
        assert holders(at, "kit:1") == holders(at, "kit:2")
        assert len(holders(at, "kit:2")) == 1
        assert await run(at, tmp_path, "docker", "run", "--rm", "kit:2", "cat", "/twice") == "hi\nhi\n"
        assert "Total" in await run(at, tmp_path, "docker", "buildx", "prune", "-f")
