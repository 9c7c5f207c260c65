"""Who gets requests as its health, its stop and its node go, through a real nginx."""

import asyncio
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_tools import Backend, ask, serving, until


def run(node: EmbeddedEngine, name: str, backend: Backend, health: str | None = None) -> None:
    ports = {"80/tcp": f"127.0.0.1:{backend.port}"}
    node.run(name, env={"VIRTUAL_HOST": "shop.example"}, ports=ports, health=health)


@pytest.mark.parametrize(
    ("rule", "health", "status"),
    [
        ("healthy", "starting", 503),
        ("healthy", "unhealthy", 503),
        ("healthy", "healthy", 200),
        ("not-unhealthy", "starting", 200),
        ("not-unhealthy", "unhealthy", 503),
        ("ignore", "unhealthy", 200),
    ],
)
async def test_which_health_gets_requests(
    folder: Path, node: EmbeddedEngine, one: Backend, rule: str, health: str, status: int
) -> None:
    run(node, "web", one, health)
    async with serving(folder, node, health=rule) as served:
        await served.live("shop.example")
        await served.answers("shop.example", status)


async def test_one_that_flaps_leaves_at_once_and_returns_when_it_is_steady(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    """Ten times a second for three seconds: a handful of reloads, and no request to it while it is unhealthy."""
    run(node, "steady", one)
    run(node, "flapping", two, "healthy")
    async with serving(folder, node, flap_wait=0.5) as served:
        await served.live("shop.example")
        reloads = served.counts["reloads"]
        for _ in range(15):
            node.set_health("flapping", "unhealthy")
            await asyncio.sleep(0.1)
            node.set_health("flapping", "healthy")
            await asyncio.sleep(0.1)
        assert 1 <= served.counts["reloads"] - reloads <= 4
        [flapping] = [s for s in served.status["sites"]["shop.example"] if s["container"] == "flapping"]
        assert not flapping["address"]
        await until(lambda: "it was unhealthy" in served.status["sites"]["shop.example"][0]["why"])
        assert (await ask(served.port, "shop.example"))[1].startswith("one")


async def test_one_that_was_unhealthy_once_returns_by_itself(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    run(node, "web", one, "healthy")
    async with serving(folder, node, flap_wait=0.5) as served:
        await served.live("shop.example")
        node.set_health("web", "unhealthy")
        await until(lambda: not served.status["sites"]["shop.example"][0]["address"])
        assert (await ask(served.port, "shop.example"))[0] == 503
        node.set_health("web", "healthy")
        healthy = asyncio.get_running_loop().time()
        await served.answers("shop.example", 200)
        assert asyncio.get_running_loop().time() - healthy > 0.4


async def test_a_stop_signal_takes_it_out_while_it_still_runs(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    """As when somebody stops it at the engine, past skep: its engine tells the signal before the end."""
    run(node, "web1", one)
    run(node, "web2", two)
    async with serving(folder, node) as served:
        await served.live("shop.example")
        await until(lambda: len(served.status["sites"]["shop.example"]) == 2)
        node.state.emit_container(node.state.container("web1"), "kill", signal="15")
        await until(
            lambda: [s["container"] for s in served.status["sites"]["shop.example"] if s["address"]] == ["web2"]
        )
        [why] = [s["why"] for s in served.status["sites"]["shop.example"] if not s["address"]]
        assert why == "it is being stopped"
        node.state.emit_container(node.state.container("web2"), "kill", signal="1")  # a reload
        reloads = served.counts["reloads"]
        node.restart_container("web1")
        await until(lambda: served.counts["reloads"] > reloads)
        await until(lambda: all(s["address"] for s in served.status["sites"]["shop.example"]))


async def test_one_that_ignores_its_stop_signal_returns(folder: Path, node: EmbeddedEngine, one: Backend) -> None:
    run(node, "web", one)
    async with serving(folder, node, stop_ignored=0.5) as served:
        await served.live("shop.example")
        node.state.emit_container(node.state.container("web"), "kill", signal="15")
        await until(lambda: not served.status["sites"]["shop.example"][0]["address"])
        await served.answers("shop.example", 200)
        await until(lambda: served.status["sites"]["shop.example"][0]["address"])


async def test_a_node_that_fails_leaves(folder: Path, node: EmbeddedEngine, one: Backend, two: Backend) -> None:
    other = EmbeddedEngine("node2")
    await other.start("tcp://127.0.0.2:0")
    async with other, serving(folder, node, other) as served:
        run(node, "web1", one)
        other.run("web2", env={"VIRTUAL_HOST": "shop.example"}, ports={"80/tcp": two.port})
        await until(lambda: len(served.status["sites"].get("shop.example", [])) == 2)
        await other.stop()
        await until(lambda: sum(bool(s["address"]) for s in served.status["sites"]["shop.example"]) == 1)
        [why] = [s["why"] for s in served.status["sites"]["shop.example"] if not s["address"]]
        assert why.startswith("its node does not answer: ")
        await other.start()
        await until(lambda: all(s["address"] for s in served.status["sites"]["shop.example"]))
