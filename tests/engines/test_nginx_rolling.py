"""Containers of real engines that are replaced, stopped and moved while nginx serves them."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from contrib.bench.nginx_load import replace_containers, under_load
from contrib.bench.nginx_world import world
from contrib.lab import Host, Lab
from skep import Agent, Engine, parse_settings
from skep_nginx import NginxPlugin, NginxSettings
from skep_nginx.settings import ContainerSettings
from tests.engines.conftest import Endpoint
from tests.plugins.nginx.nginx_tools import Served, answers, ask, serving, until

PAGE = "mkdir -p /www && echo {name} > /www/index.html && httpd -p 80 -h /www && {then}"
LINGERS = "trap 'sleep 2; exit 0' TERM; while :; do sleep 0.1; done"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="skep-nginx-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


async def start(host: Host, name: str, then: str = "exec sleep 1000", *options: str) -> None:
    script = PAGE.format(name=name, then=then)
    site = ("-e", "VIRTUAL_HOST=shop.example", "-p", "80")
    await host.docker("run", "-d", "--name", name, *site, *options, "busybox", "sh", "-c", script)


def addresses(served: Served) -> list[str]:
    """The containers that get requests."""
    return [each["container"] for each in served.status["sites"].get("shop.example", []) if each["address"]]


async def test_a_rolling_replacement_under_load_loses_no_request(cluster_lab: Lab) -> None:
    host = cluster_lab["backend1"]
    await host.load("nginx")
    async with world(0, host.url) as served, Engine(host.url) as engine:
        await replace_containers(served, engine, 0)
        async with under_load(served.port) as load:
            await replace_containers(served, engine, 4)
    assert load.failed == 0, load.told
    assert load.requests > 500, load.told


async def test_whoever_stops_it_at_its_engine_it_leaves_before_it_dies(cluster_lab: Lab, folder: Path) -> None:
    host = cluster_lab["backend1"]
    async with serving(folder, host.url) as served:
        await start(host, "lingers", LINGERS)
        await start(host, "stays", "exec sleep 1000", "--stop-signal", "KILL")
        await until(lambda: sorted(addresses(served)) == ["lingers", "stays"])
        stopping = asyncio.create_task(host.docker("stop", "lingers"))
        await until(lambda: addresses(served) == ["stays"])
        assert served.agent.cluster.state.named("lingers")[0].state.is_up
        for _ in range(20):
            assert (await ask(served.port, "shop.example"))[1].strip() == "stays"
        await stopping
        await host.docker("start", "lingers")
        await until(lambda: sorted(addresses(served)) == ["lingers", "stays"])


async def test_a_managers_endpoint_is_the_source(endpoint_of_four: Endpoint, folder: Path) -> None:
    """As with DOCKER_HOST=tcp://manager: one engine that is many, whose containers are reached where their nodes publish them."""
    one, two = endpoint_of_four.lab["backend1"], endpoint_of_four.lab["backend2"]
    await start(one, "web1", "exec sleep 1000", "--stop-signal", "KILL")
    await start(two, "web2", "exec sleep 1000", "--stop-signal", "KILL")
    await until(lambda: len(endpoint_of_four.agent.cluster.state.named("web2")) == 1)
    async with serving(folder, endpoint_of_four.url) as served:
        await until(lambda: len(addresses(served)) == 2, what=lambda: str(served.status))
        got = {(await ask(served.port, "shop.example"))[1].strip() for _ in range(20)}
        assert got == {"web1", "web2"}
        await two.docker("stop", "web2")
        await until(lambda: len(addresses(served)) == 1)
        assert {(await ask(served.port, "shop.example"))[1].strip() for _ in range(8)} == {"web1"}


@pytest.fixture
async def made(cluster_lab: Lab) -> AsyncIterator[Served]:
    """An agent that makes nginx's container itself."""
    front = cluster_lab["frontend"]
    await front.load("nginx")
    own = ContainerSettings(image="nginx", node="frontend", publish=("80:80",))
    plugin = NginxPlugin(NginxSettings(mode="container", retry=1, container=own))
    plugin.name = "nginx"
    async with Agent(parse_settings({"cluster": {"engines": [front.url]}}), plugins=[plugin]) as agent:
        yield Served(agent, plugin, 80, Path())


async def test_nginx_in_a_container_that_the_agent_makes(cluster_lab: Lab, made: Served) -> None:
    front = cluster_lab["frontend"]
    await start(front, "web", "exec sleep 1000", "--stop-signal", "KILL")
    await answers(80, "shop.example", 200, "web", ip=front.address)
    labels = await front.docker(
        "inspect", "-f", "{{json .Config.Labels}} {{.HostConfig.RestartPolicy.Name}}", "skep-nginx"
    )
    assert labels == '{"skep.nginx":""} unless-stopped'
    await front.docker("stop", "-t", "1", "skep-nginx")
    await answers(80, "shop.example", 200, "web", ip=front.address)
    await front.docker("rm", "-f", "skep-nginx")
    await answers(80, "shop.example", 200, "web", ip=front.address, seconds=30)
