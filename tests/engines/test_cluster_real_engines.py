"""A cluster of real engines, while one of them is killed, restarted, frozen and cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contrib.lab import Host, Lab
from skep.models import NodeStatus
from skep.settings import ClusterSettings
from tests.agent.cluster.observing import Observed, eventually, observing, until_true

BAD, GOOD = "backend1", "frontend"
RUN = ("run", "-d", "--stop-signal", "KILL")
MOST = 5.0
"""Seconds within which a node that does not answer is unhealthy."""


@asynccontextmanager
async def watched(lab: Lab) -> AsyncIterator[tuple[Observed, str]]:
    """A cluster of the lab's engines as an agent watches them by default, and a container that runs on the engine that will fail."""
    id_ = await lab[BAD].docker(*RUN, "--name", "kept", "busybox", "sleep", "1000")
    async with observing(*(host.url for host in lab.hosts.values()), settings=ClusterSettings()) as observed:
        assert {observed.status(name) for name in lab.hosts} == {NodeStatus.HEALTHY}
        assert observed.of(id_) == ["created", "started"]
        yield observed, id_


async def unhealthy_in_time(observed: Observed) -> None:
    await eventually(lambda: observed.status(BAD) is NodeStatus.UNHEALTHY, MOST)
    assert [name for name in observed.nodes(GOOD) if name != "joined"] == []


async def others_go_on(observed: Observed, host: Host) -> None:
    """Another node's events still come at once."""
    id_ = await host.docker(*RUN, "busybox", "sleep", "1000")
    await eventually(lambda: observed.of(id_) == ["created", "started"], 2)


async def recovered(observed: Observed, host: Host, *, seconds: float = 15) -> None:
    await until_true(observed, host.url, BAD, seconds)
    assert observed.nodes(BAD) == ["joined", "unhealthy", "recovered"]
    observed.check_words()


async def test_a_life_on_a_real_engine(cluster_lab: Lab) -> None:
    host = cluster_lab[BAD]
    async with watched(cluster_lab) as (observed, id_):
        for command in (["pause"], ["unpause"], ["restart"], ["stop"], ["start"], ["rm", "-f"]):
            await host.docker(*command, id_)
            await until_true(observed, host.url, BAD)
        short = await host.docker("run", "-d", "busybox", "true")
        await eventually(lambda: observed.of(short) == ["created", "started", "died"])
        word = ["created", "started", "paused", "unpaused", "died", "started", "died", "started", "died", "destroyed"]
        assert observed.of(id_) == word
        observed.check_words()
        assert observed.cluster.member(BAD).counters.gaps == 0


async def test_killed_and_started_again(cluster_lab: Lab) -> None:
    host = cluster_lab[BAD]
    async with watched(cluster_lab) as (observed, id_):
        await host.kill()
        await unhealthy_in_time(observed)
        await others_go_on(observed, cluster_lab[GOOD])
        assert id_ in observed.known(BAD)
        await host.start()
        await recovered(observed, host)
        assert observed.of(id_) == ["created", "started", "died"]
        await host.docker("start", "kept")
        await eventually(lambda: observed.of(id_)[3:] == ["started"])


async def test_restarted(cluster_lab: Lab) -> None:
    host = cluster_lab[BAD]
    always = await host.docker(*RUN, "--restart", "always", "busybox", "sleep", "1000")
    async with watched(cluster_lab) as (observed, id_):
        await host.restart()
        await until_true(observed, host.url, BAD, 15)
        await eventually(lambda: observed.of(always) == ["created", "started", "died", "started"])
        assert observed.of(id_) == ["created", "started", "died"]
        observed.check_words()


async def test_frozen(cluster_lab: Lab) -> None:
    host = cluster_lab[BAD]
    async with watched(cluster_lab) as (observed, id_):
        await host.freeze()
        await unhealthy_in_time(observed)
        await others_go_on(observed, cluster_lab[GOOD])
        await host.thaw()
        await recovered(observed, host)
        assert observed.of(id_) == ["created", "started"]


async def test_cut_off_and_back(cluster_lab: Lab) -> None:
    host = cluster_lab[BAD]
    async with watched(cluster_lab) as (observed, id_):
        await host.cut()
        await unhealthy_in_time(observed)
        await others_go_on(observed, cluster_lab[GOOD])
        await asyncio.to_thread(_kill_by_socket, host)
        await host.heal()
        await recovered(observed, host)
        assert observed.of(id_) == ["created", "started", "died"]


def _kill_by_socket(host: Host) -> None:
    """On the host itself its engine still answers."""
    host.sync.docker("kill", "kept")
