"""The command line over real engines: the demo on one, a manager over the article's four from a file."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from contrib.lab import Host, Lab

SECONDS = 40


async def command(*argv: str, **environ: str) -> str:
    """Run a command to its good end; returns what it printed."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={**os.environ, **environ}
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def skep(agent: str, *arguments: str) -> str:
    return await command(sys.executable, "-m", "skep", *arguments, SKEP_AGENT=agent)


@asynccontextmanager
async def running(*arguments: str, last: str, **environ: str) -> AsyncIterator[str]:
    """skep, kept running; yields what it has printed up to a line with `last`. It stops in order at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "skep", *arguments), stdout=asyncio.subprocess.PIPE, env={**os.environ, **environ}
    )
    assert process.stdout is not None
    text = ""
    try:
        async with asyncio.timeout(SECONDS):
            while last not in text:
                line = (await process.stdout.readline()).decode()
                assert line, f"it ended: {text}"
                text += line
        yield text
        process.terminate()
        async with asyncio.timeout(SECONDS):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def endpoint(text: str) -> str:
    return text.partition("docker -H ")[2].split()[0]


async def test_the_demo_is_this_machines_engine(engine: Host, tmp_path: Path) -> None:
    control = f"unix://{tmp_path}/skep.sock"
    demo = running(
        "demo", "--port", "0", "--control", control, last="skep nodes", DOCKER_HOST=f"unix://{engine.socket}"
    )
    async with demo as text:
        assert f"this machine's Docker Engine: {engine.name}" in text
        docker = ("docker", "-H", endpoint(text))
        await command(
            *docker, *["run", "-d", "--name", "web", "-e", "constraint:ostype==linux", "busybox", "sleep", "1000"]
        )
        assert (await command(*docker, "ps", "--format", "{{.Names}}")).strip().endswith("web")
        assert json.loads(await skep(control, "ps", "--json"))[0]["node"] == engine.name
    assert await engine.docker("ps", "--format", "{{.Names}}") == "web"


async def test_a_manager_follows_a_file_of_engines(cluster_lab: Lab, tmp_path: Path) -> None:
    control, nodes = f"unix://{tmp_path}/skep.sock", tmp_path / "nodes"
    lines = [f"{host.address}:2375  # {name}\n" for name, host in cluster_lab.hosts.items()]
    nodes.write_text("".join(lines))
    listen = ("-H", "tcp://127.0.0.1:0", "--control", control, "--heartbeat", "1s")
    async with running("manage", *listen, f"file://{nodes}", last="skep nodes") as text:
        assert "4 of 4 nodes healthy" in text
        docker = ("docker", "-H", endpoint(text))
        where = ("-e", "constraint:public!=yes", "-e", "constraint:model==high-memory")
        await command(*docker, "run", "-d", "--name", "redis", *where, "busybox", "sleep", "1000")
        assert (await command(*docker, "ps", "--format", "{{.Names}}")).strip() == "backend1/redis"
        assert "it would go to backend2" in await skep(
            control, "explain", "--", "-e", "constraint:model==large-disk", "x"
        )

        nodes.write_text("nonsense\n")
        (tmp_path / "new").write_text("".join(lines[:-1]))
        (tmp_path / "new").replace(nodes)
        async with asyncio.timeout(SECONDS):
            while len(json.loads(await skep(control, "nodes", "--json"))) != 3:
                await asyncio.sleep(0.1)
