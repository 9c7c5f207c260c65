"""The Docker API of a cluster: the article's four engines under one agent, and the stock docker command for it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from contrib.lab import Lab
from contrib.lab.packages import fetch_nginx
from skep import Agent, parse_settings

PLACEMENT = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist", "spread")


@dataclass
class Endpoint:
    """An agent with the plugins of a manager, over real engines; `url` is its Docker API."""

    agent: Agent
    url: str
    lab: Lab

    async def docker(
        self, *arguments: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None, fails: bool = False
    ) -> str:
        """Run the stock docker command on the cluster; what it printed on both streams, stripped. `fails`: it must."""
        process = await asyncio.create_subprocess_exec(
            "docker",
            *arguments,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "DOCKER_HOST": self.url, "DOCKER_BUILDKIT": "0", **(env or {})},
        )
        try:
            async with asyncio.timeout(30):
                output, _ = await process.communicate(stdin)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode().strip()
        assert bool(process.returncode) is fails, text
        return text


@pytest.fixture
async def endpoint_of_four(cluster_lab: Lab, tmp_path: Path) -> AsyncIterator[Endpoint]:
    """The article's four engines as one cluster."""
    url = f"unix://{tmp_path}/skep.sock"
    settings = parse_settings(
        {
            "cluster": {"engines": [host.url for host in cluster_lab.hosts.values()]},
            "plugins": {**{name: {} for name in PLACEMENT}, "docker_api": {"listen": [url]}},
        }
    )
    async with Agent(settings) as agent:
        yield Endpoint(agent, url, cluster_lab)


@pytest.fixture(scope="session")
def trixie() -> Iterator[Path]:
    """The nginx of Debian's next release, to be run as it is. It is not root, so it cannot be among pytest's own files."""
    with tempfile.TemporaryDirectory(prefix="skep-trixie-", dir="/tmp") as where:
        Path(where).chmod(0o755)
        yield fetch_nginx("trixie", Path(where))
