"""Whatever happens to containers, events, connections and engines: in the end the state is the truth, and the words are well-formed."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from skep.settings import ClusterSettings
from skep.testing import EmbeddedEngine, EngineError
from skep.watch import refresher, watch
from tests.agent.cluster.observing import Observed, observing, until_true

NAMES = ("a", "b", "c")
ACTIONS = ["run", "create", "start", "stop", "again", "die"]
ACTIONS += ["pause", "unpause", "remove", "rename", "healthy", "unhealthy"]
LOSING = ["drop", "flood"]
LOSSLESS = ["duplicate", "reorder", "replay", "cut", "restart", "live_restart", "late", "hang", "refuse", "truncate"]
LOSSLESS += ["malformed", "malformed_list", "null_list", "hang_inspect", "slow", "heal"]
Step = tuple[tuple[str, str], float]
SETTINGS = ClusterSettings(
    ping_interval=0.05, ping_timeout=0.2, call_timeout=0.4, connect_timeout=0.2, resync_interval=0.15
)

name = st.sampled_from(NAMES)


def scripts(faults: list[str]) -> st.SearchStrategy[list[Step]]:
    """What happens, each thing so many seconds after the one before it: a read takes about 2 ms, the watch's own intervals are 20 to 200."""
    on_container = st.tuples(st.sampled_from(ACTIONS), name)
    action = st.one_of(
        on_container, on_container, st.tuples(st.sampled_from(faults), name), st.tuples(st.just("refresh"), name)
    )
    pause = st.sampled_from([0.0, 0.0, 0.001, 0.003, 0.02, 0.1])
    return st.lists(st.tuples(action, pause), min_size=5, max_size=40)


def act(engine: EmbeddedEngine, action: str, name: str) -> None:
    """Something happens to a container; what cannot happen to it, does not."""
    match action:
        case "run":
            engine.run(name, RestartPolicy={"Name": "always"} if name == "a" else {})
        case "create":
            engine.create(name, health="starting" if name == "b" else None)
        case "start" | "stop":
            getattr(engine, f"{action}_container")(name)
        case "again":
            engine.restart_container(name)
        case "remove":
            engine.remove(name, force=True)
        case "rename":
            engine.rename(name, NAMES[NAMES.index(name) - 1])
        case "healthy" | "unhealthy":
            engine.set_health(name, action)
        case _:
            getattr(engine, action)(name)


async def go_wrong(engine: EmbeddedEngine, action: str, name: str) -> None:
    """Something happens to the engine, its network, or its events."""
    faults = engine.faults
    match action:
        case "drop":
            faults.drop_events()
        case "duplicate" | "reorder" | "replay":
            getattr(faults, f"{action}_events")()
        case "cut":
            faults.close_events()
        case "restart":
            await engine.restart()
        case "live_restart":
            await engine.restart(live_restore=True)
        case "late":
            faults.subscribe_delay = 0.05
        case "hang" | "refuse" | "truncate":
            getattr(faults, action)()
        case "malformed":
            faults.malformed("/containers/*/json")
        case "malformed_list":
            faults.malformed("/containers/json")
        case "null_list":
            faults.change(lambda body: b"null", "/containers/json")
        case "hang_inspect":
            faults.hang_inspect(name)
        case "slow":
            faults.delay(0.02, "/containers/*")
        case "flood":
            faults.flood_events(300, "update", engine.state.container(name).id)
        case "heal":
            faults.clear()


async def live(engine: EmbeddedEngine, observed: Observed, steps: list[Step]) -> None:
    refreshing = set()
    for (action, argument), seconds in steps:
        await asyncio.sleep(seconds)
        if action == "refresh":
            if observed.status("n") is None:
                continue
            refreshing.add(asyncio.ensure_future(observed.cluster.refresh_container("n", argument)))
        else:
            with contextlib.suppress(EngineError):
                if action in ACTIONS:
                    act(engine, action, argument)
                else:
                    await go_wrong(engine, action, argument)
    engine.faults.clear()
    await until_true(observed, engine.url, "n", seconds=10)
    await asyncio.gather(*refreshing, return_exceptions=True)
    observed.check_words()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresher, "FIRST_RETRY", 0.05)
    monkeypatch.setattr(refresher, "LAST_RETRY", 0.2)
    monkeypatch.setattr(watch, "FIRST_DELAY", 0.02)
    monkeypatch.setattr(watch, "LAST_DELAY", 0.1)
    monkeypatch.setattr(watch, "GRACE", 0.1)


def scenario(before: list[tuple[str, str]], steps: list[Step], settings: ClusterSettings) -> None:
    async def play() -> None:
        async with EmbeddedEngine("n") as engine:
            for action, argument in before:
                with contextlib.suppress(EngineError):
                    act(engine, action, argument)
            async with observing(engine.url, settings=settings) as observed:
                await live(engine, observed, steps)
            assert [task for task in asyncio.all_tasks() if "watch" in task.get_name()] == []

    asyncio.run(play())


before = st.lists(st.tuples(st.sampled_from(["run", "create"]), name), max_size=2)
thorough = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@thorough
@given(before, scripts(LOSSLESS + LOSING))
def test_the_state_is_exact_after_any_sequence(before: list[tuple[str, str]], steps: list[Step]) -> None:
    scenario(before, steps, SETTINGS)


@thorough
@given(before, scripts(LOSSLESS))
def test_it_is_exact_without_listing_again_where_no_event_is_lost(
    before: list[tuple[str, str]], steps: list[Step]
) -> None:
    scenario(before, steps, structs.replace(SETTINGS, resync_interval=1000.0))
