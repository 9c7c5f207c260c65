"""Strategies, zones and maintenance on real engines, as an operator meets them: skep manage, docker run and skep node."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contrib.lab import Lab
from contrib.lab.fixtures import require_engines

SECONDS = 60
ZONES = {"zone-a1": "a", "zone-a2": "a", "zone-b1": "b", "zone-b2": "b"}
SKEP = str(Path(sys.executable).with_name("skep"))


@pytest.fixture(scope="module")
def _zones() -> Iterator[Lab]:
    require_engines()
    with Lab(ZONES, labels={host: {"zone": zone} for host, zone in ZONES.items()}) as lab:
        yield lab


@pytest.fixture
def zones(_zones: Lab) -> Iterator[Lab]:
    """Four engines, two in each of two zones."""
    yield _zones
    _zones.sync.reset()


async def command(*argv: str, code: int = 0, **environ: str) -> str:
    """What a command prints on both streams; it must end with this status."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env={**os.environ, **environ}
    )
    async with asyncio.timeout(SECONDS):
        out, _ = await process.communicate()
    assert process.returncode == code, out.decode()
    return out.decode().strip()


class Manager:
    """A running `skep manage`."""

    def __init__(self, endpoint: str, control: str) -> None:
        self._endpoint = endpoint
        self._control = control

    async def run(self, *arguments: str, code: int = 0) -> str:
        """`docker run -d` of something that sleeps; the node where it went, or the error."""
        where = ("docker", "-H", self._endpoint)
        said = await command(*where, "run", "-d", *arguments, "busybox", "sleep", "1000", code=code)
        if code:
            return said
        return await command(*where, "inspect", "--format", "{{.Node.Name}}", said.splitlines()[-1])

    async def skep(self, *arguments: str) -> str:
        return await command(SKEP, *arguments, SKEP_AGENT=self._control)


@asynccontextmanager
async def managing(lab: Lab, folder: Path, *options: str) -> AsyncIterator[Manager]:
    """A manager of all engines of the lab, with these options; it ends in order."""
    endpoint, control = f"unix://{folder}/docker.sock", f"unix://{folder}/skep.sock"
    nodes = ",".join(f"{host.address}:2375" for host in lab.hosts.values())
    process = await asyncio.create_subprocess_exec(
        *(SKEP, "manage", "-H", endpoint, "--control", control, *options, f"nodes://{nodes}"),
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "SKEP_PLUGINS__MAINTENANCE__STATE_FILE": f"{folder}/drained.json"},
    )
    try:
        await command(SKEP, "health", "--nodes", str(len(lab.hosts)), "--wait", f"{SECONDS}s", SKEP_AGENT=control)
        yield Manager(endpoint, control)
        process.terminate()
        async with asyncio.timeout(SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_binpack_puts_together_what_spread_puts_apart(zones: Lab, tmp_path: Path) -> None:
    async with managing(zones, tmp_path, "--strategy", "spread") as manager:
        apart = [await manager.run("-m", "64m") for _ in range(2)]
    assert len(set(apart)) == 2
    zones.sync.reset()
    async with managing(zones, tmp_path, "--strategy", "binpack") as manager:
        together = [await manager.run("-m", "64m") for _ in range(3)]
    assert len(set(together)) == 1


async def test_random_goes_anywhere(zones: Lab, tmp_path: Path) -> None:
    async with managing(zones, tmp_path, "--strategy", "random") as manager:
        assert {await manager.run() for _ in range(3)} <= set(ZONES)


async def test_zones_are_filled_alike(zones: Lab, tmp_path: Path) -> None:
    async with managing(zones, tmp_path, "--plugin", "topology", "--strategy", "binpack") as manager:
        nodes = [await manager.run("-e", "spread:zone") for _ in range(4)]
        assert Counter(ZONES[node] for node in nodes) == {"a": 2, "b": 2}
        assert len(set(nodes)) == 2  # within a zone, binpack
        refused = await manager.run("-e", "spread:zone", "-e", "constraint:zone==c", code=125)
        assert "constraint zone==c" in refused
        await manager.run("-e", "spread:zone", "-e", "constraint:node==zone-a1")
        # the first node of zone a is ruled out by a rule that is asked before: only zone b is one more now
        assert ZONES[await manager.run("-e", "spread:zone")] == "b"
        assert (
            (await manager.skep("explain", "--", "-e", "spread:~zone", "busybox"))
            .splitlines()[-1]
            .startswith("it would")
        )


async def test_a_drained_node_is_avoided_even_after_a_restart(zones: Lab, tmp_path: Path) -> None:
    options = ("--plugin", "maintenance", "--strategy", "binpack")
    async with managing(zones, tmp_path, *options) as manager:
        first = await manager.run()
        said = await manager.skep("node", "drain", first, "--reason", "new disk")
        assert "1 still run there" in said
        assert await manager.run() != first
    async with managing(zones, tmp_path, *options) as manager:
        assert "new disk" in await manager.skep("node", "ls")
        assert await manager.run() != first
        told = await manager.run("-e", f"constraint:node=={first}", code=125)
        assert f"{first}: maintenance: drained by" in told
        await manager.skep("node", "activate", first)
        assert await manager.run("-e", f"constraint:node=={first}") == first
