"""nginx before containers of real engines on several hosts: on this host, and in a container of its own."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrib.lab import Host, Lab
from skep import Agent, ContainerStopping, parse_settings
from skep_nginx import NginxPlugin, NginxSettings
from tests.plugins.nginx.nginx_tools import Served, answers, ask, serving, until

PAGE = "mkdir -p /www && echo {name} > /www/index.html && exec httpd -f -p 80 -h /www"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="skep-nginx-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


async def start(host: Host, name: str, *options: str, virtual_host: str = "shop.example") -> None:
    script = PAGE.format(name=name)
    site = ("-e", f"VIRTUAL_HOST={virtual_host}")
    await host.docker(
        "run", "-d", "--name", name, "--stop-signal", "KILL", *site, *options, "busybox", "sh", "-c", script
    )


async def names(port: int, *wanted: str, ip: str = "127.0.0.1") -> None:
    """Wait until exactly these containers answer, and nothing else does: a failed request is an error."""
    seen: set[str] = set()
    for _ in range(100):
        got = [await ask(port, "shop.example", ip=ip) for _ in range(6)]
        assert {status for status, _ in got} == {200}, got
        seen = {body.strip() for _, body in got}
        if seen == set(wanted):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{seen} answer, not {wanted}")


async def test_containers_of_two_hosts_share_a_site(cluster_lab: Lab, folder: Path) -> None:
    one, two = cluster_lab["backend1"], cluster_lab["backend2"]
    async with serving(folder, one.url, two.url) as served:
        await start(one, "web1", "-p", "80")
        await start(two, "web2", "-p", "80")
        await until(lambda: len(served.status["sites"].get("shop.example", [])) == 2)
        await names(served.port, "web1", "web2")
        await one.docker("stop", "web1")
        await until(
            lambda: [s["container"] for s in served.status["sites"]["shop.example"] if s["address"]] == ["web2"]
        )
        await names(served.port, "web2")
        await one.docker("start", "web1")
        await until(lambda: all(s["address"] for s in served.status["sites"]["shop.example"]))
        await names(served.port, "web1", "web2")

        container = served.agent.cluster.state.named("web2")[0]
        await served.plugin.container_stopping(ContainerStopping(container, "stop"))
        await names(served.port, "web1")
        await two.docker("stop", "web2")
        await names(served.port, "web1")

        await start(two, "hidden", virtual_host="hidden.example")
        await until(lambda: served.status["left_out"])
        [out] = served.status["left_out"]
        assert (out["container"], out["by"]) == ("hidden", "reach")
        assert "port 80 is not published on backend2: publish it (-p 80)" in out["reason"]


async def test_a_host_that_is_cut_off_leaves_and_comes_back(cluster_lab: Lab, folder: Path) -> None:
    one, two = cluster_lab["backend1"], cluster_lab["backend2"]
    await start(one, "web1", "-p", "80")
    await start(two, "web2", "-p", "80")
    async with serving(folder, one.url, two.url) as served:
        await until(lambda: len(served.status["sites"].get("shop.example", [])) == 2)
        await two.cut()
        await until(lambda: sum(bool(s["address"]) for s in served.status["sites"]["shop.example"]) == 1)
        await names(served.port, "web1")
        await two.heal()
        await until(lambda: all(s["address"] for s in served.status["sites"]["shop.example"]), 20)
        await names(served.port, "web1", "web2")


async def test_nginx_in_a_container(cluster_lab: Lab) -> None:
    front, back = cluster_lab["frontend"], cluster_lab["backend1"]
    await cluster_lab.load("nginx")
    await start(back, "far", "-p", "80")
    await front.docker("run", "-d", "--name", "proxy", "--label", "skep.nginx", "-p", "80:80", "nginx")
    plugin = NginxPlugin(NginxSettings(mode="container", retry=1))
    plugin.name = "nginx"
    settings = parse_settings({"cluster": {"engines": [front.url, back.url]}})
    async with Agent(settings, plugins=[plugin]) as agent:
        served = Served(agent, plugin, 80, Path())
        await answers(80, "shop.example", 200, "far", ip=front.address)
        await start(front, "near")  # not published: they share the network
        await until(lambda: len(served.status["sites"]["shop.example"]) == 2)
        await names(80, "near", "far", ip=front.address)
        await start(front, "evil", virtual_host="x;}")
        await back.docker("stop", "far")
        await until(lambda: served.status["left_out"])
        await until(lambda: not all(s["address"] for s in served.status["sites"]["shop.example"]))
        await names(80, "near", ip=front.address)

        await front.docker("rm", "-f", "proxy")
        await until(lambda: "no running container with the label skep.nginx" in served.status["error"])
        await front.docker("run", "-d", "--name", "proxy2", "--label", "skep.nginx", "-p", "80:80", "nginx")
        await answers(80, "shop.example", 200, "near", ip=front.address)
        await until(lambda: served.status["state"] == "live")
