"""The agent's start and end: in any loop, in fixtures, in several; a failure is raised at once and leaves nothing behind."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self

import aiohttp
import click
import pytest
from aiohttp import web

from skep import (
    Agent,
    DiscoveryBackend,
    NotFoundError,
    Plugin,
    PluginError,
    SettingsError,
    TemporaryError,
    parse_settings,
)
from skep.testing import EmbeddedEngine, wait_for


def tasks() -> set[str]:
    return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}


async def settled(before: set[str]) -> None:
    await wait_for(lambda: tasks() <= before, message="tasks are left")


@pytest.fixture
async def agent() -> AsyncIterator[Agent]:
    """Entered and left in different tasks, as pytest-asyncio does."""
    async with EmbeddedEngine("n1") as engine, Agent(parse_settings({"cluster": {"engines": [engine.url]}})) as agent:
        yield agent


async def test_it_lives_in_a_fixture(agent: Agent) -> None:
    assert [node.name for node in agent.cluster.state.nodes] == ["n1"]
    assert agent.engine("n1").address
    assert agent.urls == []


async def test_it_hands_out_aiodocker_on_a_node_and_closes_it(agent: Agent) -> None:
    docker = agent.docker("n1")
    container = await docker.containers.create({"Image": "busybox", "Cmd": ["sleep", "9"]}, name="web")
    await container.start()
    await wait_for(lambda: [each.name for each in agent.cluster.state.containers() if each.state.is_up] == ["web"])
    assert [each.id for each in await docker.containers.list()] == [container.id]
    await agent.cluster.set_engines([])
    assert docker.session.closed
    with pytest.raises(NotFoundError, match="No such node: n1"):
        agent.docker("n1")


async def test_several_live_in_one_loop_and_leave_nothing_behind() -> None:
    foreign = asyncio.create_task(asyncio.Event().wait(), name="foreign")
    before = tasks()
    async with Agent() as first, Agent() as second:
        assert first.cluster.state is not second.cluster.state
    await settled(before)
    assert not foreign.done()
    foreign.cancel()


async def test_it_starts_once() -> None:
    agent = Agent()
    async with agent:
        pass
    with pytest.raises(RuntimeError, match="an agent starts once"):
        await agent.__aenter__()


def test_it_runs_in_loops_one_after_the_other() -> None:
    async def main() -> None:
        async with Agent():
            pass

    asyncio.run(main())
    asyncio.run(main())


class Fails(Plugin):
    async def __aenter__(self) -> Self:
        raise OSError("no disk")


async def test_a_start_that_fails_raises_the_error_itself_at_once_and_leaves_nothing() -> None:
    before = tasks()
    async with EmbeddedEngine("n1") as engine:
        inside = tasks()
        started = time.monotonic()
        with pytest.raises(PluginError, match=r"^plugin fails: cannot start: OSError: no disk$"):
            async with Agent(parse_settings({"cluster": {"engines": [engine.url]}}), plugins=[Fails]):
                pytest.fail("entered")
        assert time.monotonic() - started < 2
        await settled(inside)
    await settled(before)


async def test_cancelling_the_start_cleans_up() -> None:
    left: list[str] = []

    class Slow(Plugin):
        async def __aenter__(self) -> Self:
            left.append("entering")
            try:
                await asyncio.Event().wait()
            finally:
                left.append("gave up")
            return self

    before = tasks()

    async def enter() -> None:
        async with Agent(plugins=[Slow]):
            pytest.fail("entered")

    task = asyncio.create_task(enter())
    await wait_for(lambda: left)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == ["entering", "gave up"]
    await settled(before)


async def test_cancelling_what_holds_it_stops_it_in_order() -> None:
    left: list[str] = []

    class Tidy(Plugin):
        async def __aexit__(self, *_: object) -> None:
            left.append("left")

    entered = asyncio.Event()

    async def hold() -> None:
        async with Agent(plugins=[Tidy]):
            entered.set()
            await asyncio.Event().wait()

    before = tasks()
    task = asyncio.create_task(hold())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == ["left"]
    await settled(before)


async def test_a_crash_is_told_to_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    from skep.agent import watchdog

    crash = asyncio.Event()

    async def run(self: object) -> None:
        await crash.wait()
        raise ValueError("a bug")

    monkeypatch.setattr(watchdog.Watchdog, "run", run)

    async def embed() -> None:
        async with Agent() as agent:
            crash.set()
            await agent.wait()

    with pytest.raises(ValueError, match="a bug"):
        await embed()
    monkeypatch.undo()
    async with Agent() as agent:
        waiting = asyncio.create_task(agent.wait())
    await waiting


async def test_a_dead_engine_keeps_nobody_from_starting() -> None:
    async with EmbeddedEngine("n1") as engine:
        addresses = [engine.url, "tcp://127.0.0.1:1"]
        async with Agent(parse_settings({"cluster": {"engines": addresses}})) as agent:
            assert len(agent.cluster.state.nodes) == 2


# -- its HTTP server


class Routes(Plugin):
    def add_routes(self, router: web.UrlDispatcher) -> None:
        async def hello(request: web.Request) -> web.Response:
            return web.Response(text="hello")

        router.add_get("/plugins/routes/hello", hello)


class BadRoutes(Plugin):
    def add_routes(self, router: web.UrlDispatcher) -> None:
        raise ValueError("no luck")


async def test_plugins_add_routes_to_its_server() -> None:
    settings = parse_settings({"http": {"listen": ["tcp://127.0.0.1:0"]}})
    async with Agent(settings, plugins=[BadRoutes, Routes]) as agent, aiohttp.ClientSession() as session:
        (url,) = agent.urls
        base = url.replace("tcp://", "http://")
        async with session.get(f"{base}/plugins/routes/hello") as answer:
            assert await answer.text() == "hello"
        async with session.get(f"{base}/plugins") as answer:
            rows = {row["name"]: row for row in await answer.json()}
        assert rows["bad_routes"]["errors"] == 1
        assert rows["routes"]["status"] == "running"


async def test_an_address_that_cannot_be_listened_on_is_the_error() -> None:
    async with Agent(parse_settings({"http": {"listen": ["tcp://127.0.0.1:0"]}})) as agent:
        before = tasks()
        with pytest.raises(SettingsError):
            async with Agent(parse_settings({"http": {"listen": agent.urls}})):
                pytest.fail("entered")
        await settled(before)
    with pytest.raises(SettingsError, match=r"http.tls: cert and key are missing"):
        async with Agent(parse_settings({"http": {"listen": ["tcp://127.0.0.1:0"], "tls": {}}})):
            pytest.fail("entered")


# -- discovery


class Found(Plugin):
    """A backend that the test directs: a list is found, an error raised."""

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self.script: asyncio.Queue[list[str] | Exception] = asyncio.Queue()

    def discovery_backends(self) -> Mapping[str, DiscoveryBackend]:
        return {"script": self}  # type: ignore[dict-item]

    async def watch(self, rest: str, options: Mapping[str, str], heartbeat: float) -> AsyncIterator[Sequence[str]]:
        while True:
            step = await self.script.get()
            if isinstance(step, Exception):
                raise step
            yield step

    def expression_kinds(self) -> Mapping[str, str]:
        return {"script": "skep.script"}

    def add_commands(self) -> list[click.Command]:
        return [click.Command("script")]


def discovering(*engines: str, discovery: str = "script://x") -> Any:
    return parse_settings({"cluster": {"engines": list(engines), "discovery": discovery}})


def found(*steps: list[str] | Exception) -> Found:
    plugin = Found()
    for step in steps:
        plugin.script.put_nowait(step)
    return plugin


async def test_discovery_is_followed_and_its_last_answer_stays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "skep.discovery")
    async with EmbeddedEngine("n1") as one, EmbeddedEngine("n2") as two:
        plugin = found([two.url])
        async with Agent(discovering(one.url), plugins=[plugin]) as agent:
            assert [node.name for node in agent.cluster.state.nodes] == ["n1", "n2"]
            assert agent.expression_kinds == {"script": "skep.script"}
            assert [each.name for _, commands in agent.plugins.contributions("add_commands") for each in commands] == [
                "script"
            ]
            for step in (
                TemporaryError("no answer", delay=0.01),
                TemporaryError("no answer", delay=0.01),
                ["nonsense://"],
                [],
            ):
                plugin.script.put_nowait(step)
            await wait_for(lambda: [node.name for node in agent.cluster.state.nodes] == ["n1"])
    told = [each.getMessage() for each in caplog.records if each.name == "skep.discovery"]
    assert told == [
        "discovery script://: no answer; the last known engines stay",
        "discovery script://: answers again",
    ]


@pytest.mark.parametrize(
    ("discovery", "told"),
    [
        ("scrpt://x", r"no enabled plugin knows scrpt://: did you mean script\?.*\[plugins.discovery\]"),
        ("10.0.0.1:2375", r"no enabled plugin knows nodes://"),
    ],
)
async def test_an_unknown_scheme_is_named_with_what_is_known(discovery: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        async with Agent(discovering(discovery=discovery), plugins=[Found]):
            pytest.fail("entered")


async def test_a_backend_that_can_never_work_keeps_the_agent_from_starting() -> None:
    with pytest.raises(SettingsError, match=r"cluster.discovery: x is no list"):
        async with Agent(discovering(), plugins=[found(SettingsError("x is no list"))]):
            pytest.fail("entered")


async def test_a_backend_that_says_nothing_holds_the_start_up_for_a_while_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skep.agent.agent._FIRST_LIST", 0.1)
    async with EmbeddedEngine("n1") as one, Agent(discovering(one.url), plugins=[Found]) as agent:
        assert [node.name for node in agent.cluster.state.nodes] == ["n1"]
    async with Agent(discovering(), plugins=[found(ValueError("a bug"))]):
        pass


# -- the watchdog


@pytest.mark.usefixtures("blocking_allowed")
async def test_a_plugin_that_blocks_the_loop_is_named_while_it_does(caplog: pytest.LogCaptureFixture) -> None:
    class Blocks(Plugin):
        async def run(self) -> None:
            time.sleep(1.2)

    with caplog.at_level(logging.WARNING, "skep.watchdog"):
        async with Agent(plugins=[Blocks]) as agent:
            watchdog = agent.watchdog
            assert watchdog is not None
            await wait_for(lambda: watchdog.stalls)
            assert watchdog.longest > 0.5
    during, after = (each.getMessage() for each in caplog.records if each.name == "skep.watchdog")
    assert during.startswith("the event loop stands still: plugin blocks is at ")
    assert "test_agent_life.py" in during
    assert after.startswith("the event loop stood still for 1.")
