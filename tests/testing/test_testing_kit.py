"""The test kit finds what it is there for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import pytest

from skep import Agent, NodeJoined, Plugin, PluginError, PluginSettings
from skep.testing import EmbeddedEngine, assert_plugin_loaded, check_plugin, wait_for

Start = Callable[..., Awaitable[Agent]]


class Fine(Plugin):
    async def node_joined(self, event: NodeJoined) -> None:
        await asyncio.sleep(0)

    async def run(self) -> None:
        await asyncio.Event().wait()


async def test_the_fixtures_bring_up_an_agent_over_engines(
    skep_agent: Start, embedded_engine: EmbeddedEngine, embedded_cluster: Callable[..., Awaitable[list[EmbeddedEngine]]]
) -> None:
    engines = await embedded_cluster(2, labels={"zone": "a"})
    agent = await skep_agent(plugins=[Fine], engines=engines)
    assert [node.name for node in agent.cluster.state.nodes] == ["node1", "node2"]
    assert_plugin_loaded("fine", agent)
    other = await skep_agent(engines=[embedded_engine.url], settings={"cluster": {"heartbeat": "5s"}})
    assert other.settings.cluster.heartbeat == 5


async def test_the_agents_fixture_raises_what_keeps_it_from_starting(skep_agent: Start) -> None:
    class Bad(Plugin):
        async def __aenter__(self) -> Self:
            raise OSError("no disk")

    with pytest.raises(PluginError, match="plugin bad: cannot start: OSError: no disk"):
        await skep_agent(plugins=[Bad])


async def test_assert_plugin_loaded_says_what_is_wrong(skep_agent: Start) -> None:
    assert_plugin_loaded("spread")
    with pytest.raises(AssertionError, match="no plugin spraed is installed"):
        assert_plugin_loaded("spraed")
    agent = await skep_agent()
    with pytest.raises(AssertionError, match="plugin spread is installed"):
        assert_plugin_loaded("spread", agent)


async def test_wait_for_returns_what_became_true_and_tells_what_did_not() -> None:
    seen: list[int] = []

    async def third() -> int:
        seen.append(1)
        return len(seen) // 3

    assert await wait_for(third) == 1
    assert await wait_for(lambda: seen[1]) == 1
    with pytest.raises(AssertionError, match=r"the moon: not so within 0.05 s; it was False"):
        await wait_for(lambda: False, 0.05, message="the moon")
    with pytest.raises(AssertionError, match=r"not so within 0.05 s; it raised IndexError"):
        await wait_for(lambda: seen[99], 0.05)


async def test_check_plugin_passes_a_plugin_that_is_right() -> None:
    await check_plugin(Fine)


class Own(PluginSettings, frozen=True, kw_only=True):
    file: str = ""


class Reads(Plugin):
    Settings = Own

    def __init__(self, settings: Own | None = None) -> None:
        super().__init__(settings)
        if settings is not None and settings.file:
            Path(settings.file).read_text()


class Slip(Plugin):
    async def node_join(self, event: NodeJoined) -> None: ...


class Sync(Plugin):
    def node_joined(self, event: NodeJoined) -> None: ...  # type: ignore[override]


class Leaks(Plugin):
    async def __aenter__(self) -> Self:
        self.task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
        return self


class Stubborn(Plugin):
    free = asyncio.Event()

    async def node_joined(self, event: NodeJoined) -> None:
        while not self.free.is_set():
            try:
                await self.free.wait()
            except asyncio.CancelledError:
                continue


@pytest.mark.parametrize(
    ("kind", "settings", "told"),
    [
        (Slip, {}, r"Slip.node_join is no hook; did you mean node_joined\?"),
        (Sync, {}, r"Sync.node_joined: expected async def, got def"),
        (Leaks, {}, r"Leaks leaves tasks behind: forgotten"),
        (Stubborn, {"timeout": 0.1}, r"Stubborn.node_joined does not end when it is cancelled"),
        (Reads, {"file": __file__}, r"Reads: making it does I/O: open .*test_testing_kit.py; do that in __aenter__"),
    ],
)
@pytest.mark.usefixtures("blocking_allowed")
async def test_check_plugin_names_what_is_wrong(kind: type[Plugin], settings: dict[str, Any], told: str) -> None:
    Stubborn.free = asyncio.Event()
    before = asyncio.all_tasks()
    with pytest.raises(AssertionError, match=told):
        await check_plugin(kind, settings)
    Stubborn.free.set()
    for task in asyncio.all_tasks() - before:
        task.cancel()


async def test_reading_is_no_io_when_it_is_not_done() -> None:
    await check_plugin(Reads)


def test_pytest_starts_without_importing_anything_heavy() -> None:
    code = (
        "import sys, skep.testing.plugin; "
        "heavy = [n for n in ('aiohttp', 'skep.agent', 'skep.testing.embedded', 'msgspec') if n in sys.modules]; "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
