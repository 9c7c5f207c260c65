"""Clusters of one and of four real engines behind one endpoint, and programs that are its clients."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from contrib.lab import Host, Lab
from skep import Agent, parse_settings

__all__ = ["Served", "aside", "one_and_four", "plain_one_and_four", "serving_engines"]

T = TypeVar("T")
PLACEMENT = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist", "spread")


@dataclass
class Served:
    """An endpoint over engines: `url` is its Docker API, `hosts` are the engines' hosts by name."""

    agent: Agent
    url: str
    hosts: Mapping[str, Host]
    home: Path

    @property
    def several(self) -> bool:
        """Whether there is more than one engine."""
        return len(self.hosts) > 1

    async def run(
        self,
        *argv: str,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        fails: bool = False,
        seconds: float = 50,
    ) -> str:
        """Run a program as a client of the endpoint; what it printed on both streams, stripped. `fails`: it must."""
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd or self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "DOCKER_HOST": self.url,
                "DOCKER_BUILDKIT": "0",
                "COMPOSE_DOCKER_CLI_BUILD": "0",
                **(env or {}),
            },
        )
        try:
            async with asyncio.timeout(seconds):
                output, _ = await process.communicate(stdin)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        text = output.decode(errors="replace").strip()
        assert bool(process.returncode) is fails, f"{' '.join(argv)}: {process.returncode}: {text}"
        return text


@asynccontextmanager
async def serving_engines(
    hosts: Mapping[str, Host], home: Path, *, cluster: Mapping[str, Any] | None = None, **plugin: Any
) -> AsyncIterator[Served]:
    """These engines as one cluster, with more settings of `cluster` and of the plugin."""
    url = f"unix://{home}/skep.sock"
    settings = parse_settings(
        {
            "cluster": {"engines": [host.url for host in hosts.values()], **(cluster or {})},
            "plugins": {**{name: {} for name in PLACEMENT}, "docker_api": {"listen": [url], **plugin}},
        }
    )
    async with Agent(settings) as agent:
        yield Served(agent, url, hosts, home)


@pytest.fixture(params=["engine", "cluster_lab"], ids=["one", "four"])
async def one_and_four(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    """One engine as a cluster, then the article's four."""
    async with serving_engines(_hosts(request), tmp_path) as served:
        yield served


@pytest.fixture(params=["engine", "cluster_lab"], ids=["one", "four"])
async def plain_one_and_four(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    """As `one_and_four`, with names as an engine lists them."""
    async with serving_engines(_hosts(request), tmp_path, names="plain") as served:
        yield served


def _hosts(request: pytest.FixtureRequest) -> Mapping[str, Host]:
    found: Host | Lab = request.getfixturevalue(request.param)
    return found.hosts if isinstance(found, Lab) else {found.name: found}


async def aside(call: Callable[[], T]) -> T:
    """Run a blocking client while this loop serves it."""
    try:
        return await asyncio.to_thread(call)
    finally:
        gc.collect()
