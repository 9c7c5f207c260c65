"""Assertions for tests of plugins."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from skep.agent import Agent

__all__ = ["assert_plugin_loaded", "wait_for"]

T = TypeVar("T")


@overload
async def wait_for(condition: Callable[[], Awaitable[T]], timeout: float = 5.0, *, message: str = "") -> T: ...
@overload
async def wait_for(condition: Callable[[], T], timeout: float = 5.0, *, message: str = "") -> T: ...


async def wait_for(condition: Callable[[], Any], timeout: float = 5.0, *, message: str = "") -> Any:
    """Ask a condition again and again until what it returns is true, and return that.

    condition: may be async; AssertionError and LookupError in it mean "not yet". timeout: seconds. Raises AssertionError saying what the
    condition returned or raised at last.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        try:
            answer = condition()
            value = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
            last = f"it was {value!r}"
        except (AssertionError, LookupError) as error:
            last = f"it raised {type(error).__name__}: {error}"
        if loop.time() > deadline:
            raise AssertionError(f"{message or _source(condition)}: not so within {timeout:g} s; {last}")
        await asyncio.sleep(0.01)


def _source(condition: Callable[..., object]) -> str:
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)


def assert_plugin_loaded(name: str, agent: Agent | None = None) -> None:
    """Assert that a plugin is installed under this name, can be imported, made with its default settings, and that its hooks are right.

    agent: assert that it runs there instead.
    """
    from skep.plugins import PluginManager, PluginState, installed
    from skep.settings import parse_settings

    if agent is None:
        known = ", ".join(installed()) or "none"
        assert name in installed(), f"no plugin {name} is installed (entry point group `skep`); installed are {known}"
        manager = PluginManager(parse_settings({"plugins": {name: {}}}), strict=False)
        wanted = PluginState.ENABLED
    else:
        manager, wanted = agent.plugins, PluginState.RUNNING
    statuses = {status.name: status for status in manager.statuses()}
    assert name in statuses, f"the agent has no plugin {name}; it has {', '.join(manager.plugins) or 'none'}"
    status = statuses[name]
    assert status.state is wanted, f"plugin {name} is {status.state}: {status.why or 'it has not started'}"
    assert not status.warnings, f"plugin {name}: {'; '.join(status.warnings)}"
