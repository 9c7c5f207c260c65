"""Containers that end and start again and again, by a clock of the test's own and through a real nginx."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from skep import Container, ContainerState
from skep.testing import EmbeddedEngine
from skep_nginx.explain import explain
from skep_nginx.starts import Starts
from tests.plugins.nginx.nginx_tools import Backend, ask, serving, until

WEB = Container("a" * 64, "web", "node1", state=ContainerState.RUNNING, started_at=1.0)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def start(starts: Starts, number: int) -> float:
    """Note one start, seen with the end before it or without; how long it is held."""
    if number % 2:
        starts.note(replace(WEB, state=ContainerState.EXITED, started_at=float(number - 1)))
    starts.note(replace(WEB, started_at=float(number)))
    return starts.held(WEB.id)


def test_three_starts_are_free_and_each_further_one_doubles_the_time() -> None:
    clock = Clock()
    starts = Starts(1.0, 60.0, clock)
    held = []
    for number in range(1, 13):
        held.append(start(starts, number))
        clock.now += 0.05
    assert held == pytest.approx([0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60])
    assert starts.count(WEB.id) == 12
    assert list(starts.all_held()) == pytest.approx([59.95])
    clock.now += 60
    assert starts.held(WEB.id) == 0.0
    assert list(starts.all_held()) == []


def test_only_the_starts_of_the_last_minute_count() -> None:
    clock = Clock()
    starts = Starts(1.0, 60.0, clock)
    for number in range(1, 40):
        assert start(starts, number) == 0.0
        clock.now += 20.1


def test_one_that_runs_on_or_stands_still_is_not_started() -> None:
    starts = Starts()
    for _ in range(9):
        starts.note(WEB)
    assert starts.count(WEB.id) == 1
    for _ in range(9):
        starts.note(replace(WEB, state=ContainerState.EXITED))
    assert (starts.count(WEB.id), starts.held(WEB.id)) == (1, 0.0)


def test_to_be_paused_and_unpaused_is_the_same_matter() -> None:
    starts = Starts(1.0, 60.0, Clock())
    for _ in range(4):
        starts.note(replace(WEB, state=ContainerState.PAUSED))
        starts.note(WEB)
    assert starts.held(WEB.id) == 1.0
    starts.note(replace(WEB, state=ContainerState.PAUSED))
    assert starts.held(WEB.id) == 0.0


def test_others_are_forgotten() -> None:
    starts = Starts()
    starts.note(WEB)
    starts.keep({"other"})
    assert starts.count(WEB.id) == 0


async def test_one_that_dies_many_times_a_second_makes_few_reloads_and_returns_when_it_is_steady(
    folder: Path, node: EmbeddedEngine, one: Backend, two: Backend
) -> None:
    """Without a health check. Its neighbour answers all the time, and a new site comes in as fast as ever."""

    def run(name: str, host: str, backend: Backend) -> None:
        node.run(name, env={"VIRTUAL_HOST": host, "VIRTUAL_PORT": str(backend.port)}, NetworkMode="host")

    run("steady", "shop.example", one)
    run("dying", "shop.example", two)
    async with serving(folder, node, flap_wait=0.2, flap_longest=2.0) as served:
        await until(lambda: sum(bool(s["address"]) for s in served.status["sites"].get("shop.example", ())) == 2)
        reloads = served.counts["reloads"]
        for _ in range(40):
            node.stop_container("dying")
            await asyncio.sleep(0.04)
            node.start_container("dying")
            await asyncio.sleep(0.04)
            assert (await ask(served.port, "shop.example"))[0] == 200
        assert 1 <= served.counts["reloads"] - reloads <= 8

        def dying() -> dict[str, str]:
            return next(s for s in served.status["sites"]["shop.example"] if s["container"] == "dying")

        assert not dying()["address"]
        await until(lambda: "times lately: up for" in dying()["why"])  # not any more that it is being stopped
        told = explain("shop.example", served.plugin.work, served.agent.cluster.state)["containers"]
        assert any("it was started" in row["reason"] for row in told)
        run("other", "new.example", one)
        await served.answers("new.example", 200)
        await until(lambda: all(s["address"] for s in served.status["sites"]["shop.example"]))
