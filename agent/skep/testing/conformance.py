"""`check_plugin`: what skep expects of every plugin, tried."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from skep import events
from skep.agent import Agent
from skep.hooks import ContainerCreating, ContainerStopping, Plugin
from skep.plugins.limits import end
from skep.plugins.manager import name_of
from skep.plugins.registry import EVENTS, HOOKS, Registry, misspelt
from skep.settings import parse_settings
from skep.testing.assertions import wait_for
from skep.testing.embedded import EmbeddedEngine

__all__ = ["check_plugin"]

_PATIENCE = 1.0  # seconds that a cancelled hook has


async def check_plugin(kind: type[Plugin], settings: Mapping[str, Any] | None = None) -> None:
    """Try a plugin in an agent over an embedded engine, and assert what skep expects of it.

    Making it does no I/O; its hooks are `async def` and `def` as `Plugin` has them, and none is misspelt; it starts; each awaited hook ends
    when it is cancelled; it stops in time, and leaves no task behind. settings: its own table.
    """
    name = name_of(kind)
    config: dict[str, Any] = {"plugins": {name: dict(settings or {})}, "cluster": {}}
    _check_hooks(kind, name)
    before = asyncio.all_tasks()
    async with EmbeddedEngine("node1") as engine:
        engine.run("web", "nginx")
        config["cluster"] = {"engines": [engine.url]}
        with _no_io(kind) as touched:
            agent = Agent(parse_settings(config), plugins=[kind])
        assert not touched, f"{kind.__name__}: making it does I/O: {', '.join(touched)}; do that in __aenter__"
        async with agent:
            for hook in _awaited(kind):
                await _check_cancelling(agent, agent.plugins.plugins[name], hook)
            stopping = time.monotonic()
        spent, limit = time.monotonic() - stopping, agent.settings.plugins[name].timeout
        assert spent < limit, f"{kind.__name__}: its stop takes {spent:.1f} s, more than its timeout of {limit:g} s"
    await _check_left(kind, before)


def _overridden(kind: type[Plugin]) -> list[str]:
    return [hook for hook in HOOKS if inspect.getattr_static(kind, hook) is not inspect.getattr_static(Plugin, hook)]


def _awaited(kind: type[Plugin]) -> list[str]:
    return [hook for hook in _overridden(kind) if HOOKS[hook] and hook != "run"]


def _check_hooks(kind: type[Plugin], name: str) -> None:
    for hook in _overridden(kind):
        is_async = inspect.iscoroutinefunction(getattr(kind, hook))
        wanted, got = ("async def", "def") if HOOKS[hook] else ("def", "async def")
        assert is_async == HOOKS[hook], f"{kind.__name__}.{hook}: expected {wanted}, got {got}"
    plugin = kind.__new__(kind)
    for wrong, right in misspelt(plugin):
        raise AssertionError(f"{kind.__name__}.{wrong} is no hook; did you mean {right}?")
    Registry().add(plugin, name)


async def _check_cancelling(agent: Agent, plugin: Plugin, hook: str) -> None:
    """Cancel a hook once it waits for something."""
    function: Callable[[Any], Any] = getattr(plugin, hook)
    task: asyncio.Task[Any] = asyncio.create_task(function(_sample(agent, hook)), name=f"check {hook}")
    await asyncio.sleep(0)
    ended = await end(task, _PATIENCE)
    assert ended, (
        f"{type(plugin).__name__}.{hook} does not end when it is cancelled: it must let CancelledError through"
    )


def _sample(agent: Agent, hook: str) -> Any:
    """An argument such as the hook is called with."""
    state = agent.cluster.state.nodes[0]
    container = next(iter(state.containers.values()))
    if hook == "events_lost":
        return events.Lost(3)
    if hook == events.PluginEvent.hook:
        return events.PluginEvent("sample", "changed", time.time())
    if hook == "container_creating":
        return ContainerCreating(agent.request(b'{"Image": "nginx"}', "sample"))
    if hook == "container_stopping":
        return ContainerStopping(container, "stop")
    assert hook in EVENTS, hook
    kind = next(
        each
        for each in vars(events).values()
        if inspect.isclass(each) and issubclass(each, events.LifecycleEvent) and each.hook == hook
    )
    if hook == "lifecycle_event":
        return events.NodeJoined(state.node, time.time())
    arguments = (container,) if issubclass(kind, events.ContainerEvent) else ()
    return kind(state.node, time.time(), *arguments)


async def _check_left(kind: type[Plugin], before: set[asyncio.Task[Any]]) -> None:
    def left() -> list[str]:
        return sorted(task.get_name() for task in asyncio.all_tasks() - before if not task.done())

    try:
        await wait_for(lambda: not left(), _PATIENCE)
    except AssertionError:
        raise AssertionError(f"{kind.__name__} leaves tasks behind: {', '.join(left())}") from None


@contextmanager
def _no_io(kind: type[Plugin]) -> Iterator[list[str]]:
    """What the class's own code opens, connects or runs in the block."""
    touched: list[str] = []
    initializer = getattr(kind.__init__, "__code__", None)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if not active or not event.startswith(
            ("open", "socket.connect", "subprocess.", "os.listdir", "sqlite3.connect")
        ):
            return
        codes, frame = [], sys._getframe(1)
        while frame is not None:
            codes.append(frame.f_code)
            frame = frame.f_back  # type: ignore[assignment]
        if initializer in codes and not any("importlib" in code.co_filename for code in codes):
            touched.append(f"{event} {arguments[0] if arguments else ''}".strip())

    active = kind.__init__ is not Plugin.__init__
    if active:
        sys.addaudithook(watch)  # cannot be taken away again, only be idle
    try:
        yield touched
    finally:
        active = False
