"""Large numbers: 10,000 containers on 1,000 hosts, 1,000 paths of one host, 1,000 certificates. A real nginx takes them.

Times are of the CPU, and allow for a machine several times slower than the one whose figures are in the README.
"""

import asyncio
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from skep import ClusterState, Container, ContainerState, Endpoint, Node, NodeStatus
from skep.testing import EmbeddedEngine
from skep_nginx.certificates.store import Store
from skep_nginx.claims import Claims
from skep_nginx.collect import Collector, Picture
from skep_nginx.model import Listen
from skep_nginx.reach import View
from skep_nginx.render import Renderer, Style
from skep_nginx.rules import Rules
from skep_nginx.sites import Builder
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_tools import Backend, ask, serving
from tests.plugins.nginx.test_nginx_attacks import nginx_takes

STYLE = Style(listen=(Listen("127.0.0.1", 8080),), status=Path("/run/s.sock"), prefix=Path("/run/n"))
RULES = Rules(STYLE.listen)


def containers(count: int, hosts: int) -> ClusterState:
    """Each of them serves one of so many hosts."""
    state = ClusterState()
    state.put_node(Node("node1", "unix:///run/docker.sock", status=NodeStatus.HEALTHY))
    for number in range(count):
        at = Endpoint("bridge", "net1", ip=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        env = (f"VIRTUAL_HOST=h{number % hosts}.example", "VIRTUAL_PORT=80")
        state.put_container(
            Container(
                f"{number:064x}",
                f"web{number}",
                "node1",
                state=ContainerState.RUNNING,
                env=env,
                networks=(at,),
                created=number,
            )
        )
    return state


class Pipeline:
    """From the state to the text, again and again, as the plugin does it."""

    def __init__(self) -> None:
        self.collector, self.claims, self.builder, self.renderer = Collector(), Claims(), Builder(), Renderer()
        self.picture = Picture()

    def run(self, state: ClusterState) -> bytes:
        self.picture = self.claims.sift(self.collector.collect(state, View()), RULES)
        return self.renderer.render(self.builder.build(self.picture.backends, RULES), STYLE).text


def cpu(call: Callable[[], object]) -> float:
    """Seconds of it."""
    began = time.thread_time()
    call()
    return time.thread_time() - began


def test_ten_thousand_containers_on_a_thousand_hosts() -> None:
    state, pipeline = containers(10_000, 1000), Pipeline()
    tracemalloc.start()
    text = pipeline.run(state)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert text.count(b"server_name h") == 1000
    assert text.count(b"fail_timeout=1s") == 10_000
    assert kept < 40 * 2**20, kept
    stopped = replace(next(iter(state.containers())), state=ContainerState.EXITED)
    state.put_container(stopped)
    assert cpu(lambda: pipeline.run(state)) < 0.7
    assert pipeline.run(state).count(b"fail_timeout=1s") == 9_999
    asyncio.run(nginx_takes(pipeline.builder.build(pipeline.picture.backends, RULES)))


def test_a_thousand_hosts_are_rendered_quickly() -> None:
    state = containers(1000, 1000)
    backends = Collector().collect(state, View()).backends
    assert min(cpu(lambda: Renderer().render(Builder().build(backends, RULES), STYLE)) for _ in range(5)) < 0.25


async def test_a_thousand_paths_of_one_host(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    for number in range(20):
        paths = {f"/p{number * 50 + each}/": {"port": one.port} for each in range(50)}
        env = {"VIRTUAL_HOST_MULTIPORTS": msgspec.json.encode({"shop.example": paths}).decode()}
        node.run(f"web{number}", env=env, NetworkMode="host")
    async with serving(folder, node) as served:
        await served.live("shop.example")
        for path in ("/p0/", "/p500/x", "/p999/"):
            assert (await ask(served.port, "shop.example", path))[0] == 200
        assert (await ask(served.port, "shop.example", "/p1000/"))[0] == 404
        assert (served.counts["reloads"], served.counts["failures"]) == (1, 0)


def test_a_thousand_certificates(tmp_path: Path) -> None:
    """Read once each, and not again while their files are the same."""
    folder, ca = tmp_path / "certificates", Authority()
    folder.mkdir()
    for number in range(10):
        ca.write(folder, f"h{number}.example", f"h{number}.example")
    for number in range(10, 1000):
        for kind in ("crt", "key"):
            (folder / f"h{number}.example.{kind}").write_bytes((folder / f"h{number % 10}.example.{kind}").read_bytes())
    store = Store(folder, tmp_path / "kept")
    assert cpu(store.look) < 5
    assert len(store.look().pairs) == 1000
    assert min(cpu(store.look) for _ in range(3)) < 0.5
