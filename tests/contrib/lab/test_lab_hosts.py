"""The lab's hosts are to each other as real ones are: own names, ids, addresses; ports between them."""

import asyncio
import urllib.request

import pytest

from contrib.lab import Lab

pytestmark = pytest.mark.engine


async def test_each_host_is_itself(cluster_lab: Lab) -> None:
    seen: dict[str, set[str]] = {"ids": set(), "names": set(), "container addresses": set()}
    for name, host in cluster_lab.hosts.items():
        engine_id, engine_name = (await host.docker("info", "--format", "{{.ID}} {{.Name}}")).split()
        assert engine_name == name == await host.run("hostname")
        seen["ids"].add(engine_id)
        seen["names"].add(engine_name)
        address = await host.docker("run", "--rm", "busybox", "hostname", "-i")
        seen["container addresses"].add(address)
    assert {kind: len(values) for kind, values in seen.items()} == dict.fromkeys(seen, 4)


async def test_networks_of_two_hosts_do_not_overlap(cluster_lab: Lab) -> None:
    subnets = set()
    for name in ("backend1", "backend2"):
        await cluster_lab[name].docker("network", "create", "own")
        subnets.add(
            await cluster_lab[name].docker(
                "network", "inspect", "own", "--format", "{{range .IPAM.Config}}{{.Subnet}}{{end}}"
            )
        )
    assert len(subnets) == 2


async def test_published_port_is_reached_from_here_and_from_another_hosts_container(cluster_lab: Lab) -> None:
    web, client = cluster_lab["frontend"], cluster_lab["backend1"]
    serve = "mkdir /w; echo hello from $(hostname) >/w/index.html; exec httpd -f -h /w"
    command = ("busybox", "sh", "-c", serve)
    await web.docker("run", "-d", "--hostname", "web", "--stop-signal", "KILL", "-p", "8080:80", *command)
    url = f"http://{web.address}:8080/"
    fetch = f"until wget -q -O- {url}; do sleep 0.1; done"
    assert await client.docker("run", "--rm", "busybox", "sh", "-c", fetch, seconds=20) == "hello from web"
    with await asyncio.to_thread(urllib.request.urlopen, url, timeout=5) as answer:
        assert answer.read() == b"hello from web\n"


async def test_link_resolves(cluster_lab: Lab) -> None:
    host = cluster_lab["backend2"]
    await host.docker("run", "-d", "--name", "database", "--stop-signal", "KILL", "busybox", "sleep", "1000")
    address = await host.docker("inspect", "database", "--format", "{{.NetworkSettings.IPAddress}}")
    pinged = await host.docker("run", "--rm", "--link", "database:db", "busybox", "ping", "-c1", "-W2", "db")
    assert f"PING db ({address})" in pinged


async def test_two_labs_live_side_by_side(cluster_lab: Lab) -> None:
    async with Lab(["frontend"], images=[]) as other:
        assert other["frontend"].address != cluster_lab["frontend"].address
        assert await other["frontend"].docker("images", "--quiet") == ""
        assert await other["frontend"].state() == "up"
    assert await cluster_lab["frontend"].state() == "up"
    assert "busybox" in await cluster_lab["frontend"].docker("images")


async def test_a_host_joins_later(engine: object) -> None:
    async with Lab(["early"], images=["busybox"]) as lab:
        await lab.add("late", labels={"late": {"since": "now"}})
        assert list(lab.hosts) == ["early", "late"]
        assert await lab["late"].docker("info", "--format", "{{.Labels}}") == "[since=now]"
        assert await lab["late"].docker("run", "--rm", "busybox", "echo", "hi") == "hi"
