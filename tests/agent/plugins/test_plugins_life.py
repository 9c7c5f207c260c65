"""Starting, running and stopping plugins, good ones and bad ones."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Self

import pytest

from skep import Plugin, PluginError, SettingsError, parse_settings
from skep.plugins import PluginManager, PluginState, PluginStatus, lifeline
from skep.testing import wait_for

SEEN: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    SEEN.clear()


class Entered(Plugin):
    async def __aenter__(self) -> Self:
        SEEN.append(f"+{self.name}")
        return self

    async def __aexit__(self, *_: object) -> None:
        SEEN.append(f"-{self.name}")

    async def run(self) -> None:
        SEEN.append(f"run {self.name}")
        await asyncio.Event().wait()


class A(Entered): ...


class B(Entered): ...


class Fails(Entered):
    async def __aenter__(self) -> Self:
        await super().__aenter__()
        raise OSError("no disk")


def made(*plugins: type[Plugin], **tables: Any) -> PluginManager:
    return PluginManager(parse_settings({"plugins": tables}), plugins)


def status(manager: PluginManager, name: str) -> PluginStatus:
    return next(each for each in manager.statuses() if each.name == name)


async def test_plugins_are_entered_in_order_then_run_and_left_in_reverse() -> None:
    manager = made(A, B, b={}, a={})
    assert status(manager, "a").state is PluginState.ENABLED
    await manager.start()
    await wait_for(lambda: len(SEEN) == 4)
    assert status(manager, "a").state is PluginState.RUNNING
    await manager.stop()
    assert SEEN == ["+b", "+a", "run b", "run a", "-a", "-b"]


async def test_a_plugin_that_cannot_start_is_named_and_the_others_are_left() -> None:
    manager = made(A, Fails, B, a={}, fails={}, b={})
    with pytest.raises(PluginError, match=r"^plugin fails: cannot start: OSError: no disk$") as caught:
        await manager.start()
    assert isinstance(caught.value.__cause__, OSError)
    await manager.stop()
    assert SEEN == ["+a", "+fails", "-a"]


async def test_wrong_settings_that_only_show_at_the_start_stay_such() -> None:
    class Wrong(Plugin):
        async def __aenter__(self) -> Self:
            raise SettingsError("port 1 is taken")

    with pytest.raises(SettingsError, match=r"^plugin wrong: port 1 is taken$"):
        await made(Wrong).start()


async def test_a_plugin_may_be_done_without() -> None:
    manager = made(Fails, A, fails={"startup_error": "ignore"}, a={})
    await manager.start()
    assert status(manager, "fails").state is PluginState.BROKEN
    assert status(manager, "fails").why == "plugin fails: cannot start: OSError: no disk"
    await manager.stop()
    assert [each for each in SEEN if not each.startswith("run")] == ["+fails", "+a", "-a"]


async def test_a_plugin_may_start_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "_FIRST_PAUSE", 0.02)
    attempts = 0

    class Later(Entered):
        async def __aenter__(self) -> Self:
            nonlocal attempts
            attempts += 1
            if attempts < 3:
                raise OSError("no disk")
            return await super().__aenter__()

    manager = made(Later, later={"startup_error": "retry"})
    await manager.start()
    assert status(manager, "later").state is PluginState.BROKEN
    await wait_for(lambda: SEEN == ["+later", "run later"])
    assert status(manager, "later").state is PluginState.RUNNING
    await manager.stop()
    assert SEEN[-1] == "-later"


async def test_a_start_that_hangs_is_cut_off() -> None:
    class Hangs(Plugin):
        async def __aenter__(self) -> Self:
            await asyncio.Event().wait()
            return self

    with pytest.raises(PluginError, match=r"plugin hangs: cannot start: took longer than 0.05 s$"):
        await made(Hangs, hangs={"timeout": 0.05}).start()


async def test_a_start_and_a_stop_that_will_not_be_cancelled_are_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    free = asyncio.Event()

    async def stubborn() -> None:
        while not free.is_set():
            try:
                await free.wait()
            except asyncio.CancelledError:
                continue

    class Start(Plugin):
        async def __aenter__(self) -> Self:
            await stubborn()
            return self

    class Stop(Plugin):
        async def __aexit__(self, *_: object) -> None:
            await stubborn()

    with pytest.raises(PluginError, match=r"took longer than 0.05 s, and did not end when it was cancelled"):
        await made(Start, start={"timeout": 0.05}).start()
    manager = made(Stop, stop={"timeout": 0.05})
    await manager.start()
    started = time.monotonic()
    await manager.stop()
    assert time.monotonic() - started < 1
    assert "its stop took longer than 0.05 s; it is left behind" in caplog.text
    free.set()


async def test_a_stop_that_fails_keeps_nobody_else_from_stopping(caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Entered):
        async def __aexit__(self, *_: object) -> None:
            raise ValueError("no luck")

    manager = made(A, Bad, a={}, bad={})
    await manager.start()
    await manager.stop()
    assert SEEN[-1] == "-a"
    assert "its stop failed: ValueError: no luck" in caplog.text


async def test_a_run_that_raises_is_run_again_and_one_that_returns_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "_FIRST_PAUSE", 0.01)

    class Runs(Plugin):
        async def run(self) -> None:
            SEEN.append("run")
            if len(SEEN) < 3:
                raise ValueError("no luck")
            if len(SEEN) < 4:
                raise SystemExit(3)

    manager = made(Runs)
    await manager.start()
    await wait_for(lambda: len(SEEN) == 4)
    counters = status(manager, "runs").hooks["run"]
    assert (counters.calls, counters.errors) == (4, 3)
    await manager.stop()
    assert len(SEEN) == 4


async def test_a_run_that_swallows_cancellation_does_not_hold_the_stop_up(caplog: pytest.LogCaptureFixture) -> None:
    free = asyncio.Event()

    class Stubborn(Plugin):
        async def run(self) -> None:
            while not free.is_set():
                try:
                    await free.wait()
                except asyncio.CancelledError:
                    SEEN.append("swallowed")

    manager = made(Stubborn, stubborn={"timeout": 0.05})
    await manager.start()
    await asyncio.sleep(0)
    started = time.monotonic()
    await manager.stop()
    assert time.monotonic() - started < 1
    assert SEEN == ["swallowed"]
    assert "plugin stubborn: run did not end when the agent stopped; it is left behind" in caplog.text
    free.set()


async def test_a_task_group_may_stay_open_between_start_and_stop_and_its_failure_breaks_only_the_plugin() -> None:
    class Grouped(Plugin):
        async def __aenter__(self) -> Self:
            self.group = asyncio.TaskGroup()
            await self.group.__aenter__()
            return self

        async def __aexit__(self, kind: Any, error: Any, traceback: Any) -> None:
            await self.group.__aexit__(kind, error, traceback)

    async def fail() -> None:
        raise ValueError("no luck")

    manager = made(A, Grouped)
    await manager.start()
    manager.plugins["grouped"].group.create_task(fail())
    await wait_for(lambda: status(manager, "grouped").state is PluginState.BROKEN)
    assert "stopped by itself: ExceptionGroup" in status(manager, "grouped").why
    assert status(manager, "a").state is PluginState.RUNNING
    await manager.stop()
    assert "-a" in SEEN


async def test_a_plugins_log_level_is_its_own(caplog: pytest.LogCaptureFixture) -> None:
    made(A, a={"log_level": "error"})
    try:
        assert logging.getLogger("skep.plugins.a").level == logging.ERROR
    finally:
        logging.getLogger("skep.plugins.a").setLevel(logging.NOTSET)
