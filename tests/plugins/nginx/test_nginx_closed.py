"""A container in its host's network names any port there: those that are not meant for nginx's clients stay closed."""

from pathlib import Path

import pytest

from skep import Agent, ClusterState, Container, Node, NodeStatus, Port, parse_settings
from skep.testing import EmbeddedEngine
from skep_nginx import NginxPlugin, NginxSettings
from skep_nginx.closed import closed_ports, ports_at_home
from skep_nginx.model import Listen
from skep_nginx.places.own import view_from
from skep_nginx.reach import View, find_server
from tests.plugins.nginx.nginx_tools import Backend, Served, ask, free_port, until
from tests.plugins.nginx.nginx_variables import run

HOME = Node("home", "unix:///var/run/docker.sock", status=NodeStatus.HEALTHY)
FAR = Node("far", "tcp://10.0.0.2:2399", ip="10.0.0.2", status=NodeStatus.HEALTHY)
ON_HOST = Container("1", "web", "home", network_mode="host")


async def test_the_agents_own_port_and_nginxs_and_those_of_the_settings(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    port = free_port()
    own = {"listen": [f"127.0.0.1:{port}"], "directory": str(folder), "workers": 1, "closed_ports": [str(two.port)]}
    settings = {
        "cluster": {"engines": [node.url]},
        "http": {"listen": ["tcp://127.0.0.1:0"]},
        "plugins": {"nginx": own},
    }
    async with Agent(parse_settings(settings)) as agent:
        plugin = agent.plugins.plugins["nginx"]
        assert isinstance(plugin, NginxPlugin)
        served = Served(agent, plugin, port, folder)
        api = int(agent.urls[0].rpartition(":")[2])
        for name, wanted in {"agent": api, "self": port, "closed": two.port, "shop": one.port}.items():
            run(node, name, wanted)
        await served.answers("shop.example", 200, "one")
        await until(lambda: len(served.status["left_out"]) == 3)
        told = {out["container"]: out["reason"] for out in served.status["left_out"]}
        assert f"whose port {api} is the agent's, an engine's, or one of closed_ports" in told["agent"]
        assert f"whose port {two.port} is" in told["closed"]
        assert f"where port {port} is nginx's own" in told["self"]
        for host in ("agent.example", "self.example", "closed.example"):
            assert (await ask(port, host, "/status"))[0] == 503


def test_the_ports_of_engines_are_closed_on_every_host() -> None:
    state = ClusterState()
    for node in (HOME, FAR, Node("bare", "10.0.0.3:2400"), Node("odd", "tcp://[::1")):
        state.put_node(node)
    closed = closed_ports(((2375, 2377),), ["unix:///run/skep.sock", "tcp://127.0.0.1:3375"], state)
    assert closed == ((2375, 2377), (2399, 2399), (2400, 2400), (3375, 3375))
    for node in (HOME, FAR):
        for port in (2375, 2377, 2399, 3375):
            with pytest.raises(ValueError, match=f"whose port {port} is the agent's, an engine's"):
                find_server(View(closed=closed), ON_HOST, node, port, {})
        assert find_server(View(closed=closed), ON_HOST, node, 2378, {}).port == 2378


def test_nginx_is_not_sent_to_itself() -> None:
    """It would ask itself until it has no connections left."""
    listens = (Listen("0.0.0.0", 80), Listen("::", 443), Listen("10.0.0.9", 8080))
    view = View(own=ports_at_home(listens))
    for port in (80, 443):
        with pytest.raises(ValueError, match=f"port {port} is nginx's own"):
            find_server(view, ON_HOST, HOME, port, {})
    assert find_server(view, ON_HOST, HOME, 8080, {}).port == 8080
    assert find_server(view, ON_HOST, FAR, 80, {}).port == 80
    proxy = Container("2", "proxy", "far", network_mode="bridge", ports=(Port(80, "tcp", 8000), Port(443, "tcp")))
    with pytest.raises(ValueError, match="port 8000 is nginx's own"):
        find_server(view_from(proxy, ""), ON_HOST, FAR, 8000, {})
    assert find_server(view_from(proxy, ""), ON_HOST, FAR, 80, {}).port == 80


@pytest.mark.parametrize("wrong", ["0", "70000", "-1", "80;", "9-8", "all"])
def test_wrong_ports(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"closed_ports: .* are no ports"):
        NginxSettings(closed_ports=(wrong,))
