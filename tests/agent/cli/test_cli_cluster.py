"""A cluster by token, as Swarm's commands make one, used by the stock docker command."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from skep.testing import EmbeddedEngine

needs_docker = pytest.mark.skipif(shutil.which("docker") is None, reason="needs the docker command")


async def listed(skep: Any, url: str, count: int) -> list[str]:
    async with asyncio.timeout(30):
        while len(found := (await skep("list", url)).split()) != count:
            await asyncio.sleep(0.05)
        return sorted(found)


@needs_docker
async def test_create_join_list_manage(skep: Any, tmp_path: Path) -> None:
    async with EmbeddedEngine("one", labels={"public": "yes"}) as one, EmbeddedEngine("two") as two:
        for engine in (one, two):
            await engine.stop()
            await engine.start("tcp://127.0.0.1:0")
        places = sorted(engine.url.removeprefix("tcp://") for engine in (one, two))

        service = await skep.start("discovery-service", "--listen", "tcp://127.0.0.1:0")
        url = (await service.until("discovery service at")).split()[-1]
        token = (await skep("create", "--service", url)).strip()
        assert re.fullmatch("[0-9a-f]{32}", token)
        discovery = f"token://{url.removeprefix('tcp://')}/v1/{token}"

        joining = [await skep.start("join", "--advertise", place, discovery) for place in places]
        assert await listed(skep, discovery, 2) == places

        manager = await skep.start(
            *("manage", "-H", "tcp://127.0.0.1:0", "--control", f"unix://{tmp_path}/skep.sock"),
            *("--cluster-opt", "swarm.overcommit=0.1", "--cluster-opt", "swarm.createretry=1"),
            *("--heartbeat", "1s", discovery),
        )
        await manager.until("skep is up: 2 of 2 nodes healthy")
        endpoint = (await manager.until("Docker API")).split()[-1]
        assert "8.8 GiB" in await skep("nodes")

        info = await skep.run("docker", "-H", endpoint, "info")
        assert "one" in info
        assert "two" in info
        await skep.run(*f"docker -H {endpoint} run -d --name web -e constraint:public==yes nginx".split())
        names = await skep.run("docker", "-H", endpoint, "ps", "--format", "{{.Names}}")
        assert names.strip() == "one/web"
        assert "web" in one.state.containers[next(iter(one.state.containers))].name

        for each in joining:
            assert await each.stop() == 0
        assert await manager.stop() == 0
        assert await service.stop() == 0


async def test_a_member_that_cannot_register_says_so_and_goes_on(skep: Any) -> None:
    joining = await skep.start("join", "--advertise", "a:1", "token://127.0.0.1:1/v1/abc")
    assert "again in 60 s" in await joining.until("127.0.0.1:1")
    assert await joining.stop() == 0


async def test_the_managers_own_agent_keeps_tokens_too(skep: Any, tmp_path: Path) -> None:
    waiting = asyncio.create_task(skep("create", "--wait", "25s"))
    manager = await skep.start(
        *("manage", "-H", f"unix://{tmp_path}/docker.sock", "--control", f"unix://{tmp_path}/skep.sock", "nodes://a:1")
    )
    await manager.until("skep is up")
    assert re.fullmatch("[0-9a-f]{32}\n", await waiting)
    assert re.fullmatch("[0-9a-f]{32}\n", await skep("create"))
    assert "0 of 1 nodes healthy" in manager.text


@needs_docker
async def test_the_demo_without_docker(skep: Any, tmp_path: Path) -> None:
    demo = await skep.start("demo", "--embedded", "--port", "0", "--control", f"unix://{tmp_path}/skep.sock")
    assert "backend1, backend2, frontend, swarm-master" in await demo.until("embedded cluster")
    endpoint = (await demo.until("docker -H")).split()[2]
    run = await demo.until(" run ")
    assert await skep.run(*run.split())
    assert "frontend/web" in await skep.run("docker", "-H", endpoint, "ps")
    assert re.search(r"backend2 +healthy .*model=large-disk, provider=embedded, public=no", await skep("nodes"))
    assert await demo.stop() == 0
    assert "Traceback" not in demo.text
