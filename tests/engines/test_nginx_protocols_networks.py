"""nginx in a container with a label of its own, before containers that it reaches by IPv6, on a real engine."""

from pathlib import Path

from contrib.lab import Lab
from skep import Agent, parse_settings
from skep_nginx import NginxPlugin, NginxSettings
from skep_nginx.settings import ContainerSettings
from tests.plugins.nginx.nginx_tools import Served, answers, until

PAGE = "mkdir -p /www && echo {name} > /www/index.html && exec httpd -f -p [::]:80 -h /www"


async def test_ipv6_and_a_label_and_a_network(cluster_lab: Lab) -> None:
    """PREFER_IPV6_NETWORK, NGINX_CONTAINER_LABEL, and `network=` of DOCKER_CONTAINER_FILTERS."""
    front = cluster_lab["frontend"]
    await cluster_lab.load("nginx")
    await front.docker("network", "create", "--ipv6", "--subnet", "fd00:77::/64", "six")
    for name, network in (("web", "six"), ("other", "bridge")):
        site = ("-e", f"VIRTUAL_HOST={name}.example", "--network", network)
        await front.docker("run", "-d", "--name", name, *site, "busybox", "sh", "-c", PAGE.format(name=name))
    await front.docker("run", "-d", "--name", "decoy", "--label", "skep.nginx", "nginx")
    await front.docker("run", "-d", "--name", "proxy", "--label", "edge", "--network", "six", "-p", "80:80", "nginx")
    own = NginxSettings(
        mode="container",
        retry=1,
        prefer_ipv6=True,
        filters=("network=six",),
        container=ContainerSettings(label="edge"),
    )
    plugin = NginxPlugin(own)
    plugin.name = "nginx"
    async with Agent(parse_settings({"cluster": {"engines": [front.url]}}), plugins=[plugin]) as agent:
        served = Served(agent, plugin, 80, Path())
        await answers(80, "web.example", 200, "web", ip=front.address)
        await until(lambda: served.status["state"] == "live")
        [server] = served.status["sites"]["web.example"]
        assert server["address"].startswith("[fd00:77::")
        assert list(served.status["sites"]) == ["web.example"]
