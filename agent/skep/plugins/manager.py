"""Finds plugins, makes them, and calls their hooks so that none can hurt the agent."""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from skep.errors import PluginError
from skep.events import LifecycleEvent
from skep.hooks import Plugin
from skep.scheduler import Rule
from skep.settings import PluginTable, Settings, parse_plugin_settings

if TYPE_CHECKING:
    from skep.agent import Agent

__all__ = ["PluginManager"]


class PluginManager:
    """The plugins of one agent."""

    def __init__(self, settings: Settings, extra: Sequence[type[Plugin] | Plugin] = ()) -> None:
        self._settings = settings
        self.plugins: dict[str, Plugin] = {}
        found = {entry.name: entry for entry in importlib.metadata.entry_points(group="skep")}
        for name, table in settings.plugins.items():
            if table.enabled:
                if name not in found:
                    raise PluginError(f"plugin {name}: not installed; installed are {', '.join(sorted(found))}")
                self._add(name, found[name].load(), table)
        for plugin in extra:
            self._add(plugin.name or type(plugin).__name__, plugin, PluginTable())

    def _add(self, name: str, plugin: Any, table: PluginTable) -> None:
        if inspect.isclass(plugin) and issubclass(plugin, Plugin):
            plugin = plugin(parse_plugin_settings(plugin.Settings, table, name, self._settings.source))
        plugin.name = name
        plugin.log = logging.getLogger(f"skep.plugins.{name}")
        self.plugins[name] = plugin

    def attach(self, agent: Agent) -> None:
        """Tell every plugin its agent."""
        for plugin in self.plugins.values():
            plugin.agent = agent

    def implementing(self, hook: str) -> Iterator[tuple[str, Any]]:
        """The plugins that implement a hook, in order: name and bound method."""
        for name, plugin in self.plugins.items():
            if getattr(type(plugin), hook) is not getattr(Plugin, hook):
                yield name, getattr(plugin, hook)

    def rules(self, hook: str) -> list[Rule]:
        """The filters or strategies."""
        return [Rule(name, call) for name, call in self.implementing(hook)]

    def contributions(self, hook: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        """Ask every plugin for its contribution: name and answer."""
        for name, call in self.implementing(hook):
            yield name, call(*arguments)

    async def ask(self, hook: str, argument: Any) -> Any:
        """Put an awaited question to one plugin after another; each may hand a changed argument on."""
        for _, call in self.implementing(hook):
            answer = await call(argument)
            argument = argument if answer is None else answer
        return argument

    def publish(self, event: LifecycleEvent) -> None:
        """Tell every plugin of an event, without waiting."""
