"""Finds plugins, makes them, and calls their hooks so that none can hurt the agent."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from skep.errors import PluginError, SkepError
from skep.events import LifecycleEvent, PluginEvent
from skep.hooks import Plugin
from skep.plugins import calls
from skep.plugins.finding import find, installed, origin_of
from skep.plugins.lifeline import Lifeline
from skep.plugins.mailbox import Mailbox
from skep.plugins.record import HookCounters, PluginState, PluginStatus, Record
from skep.plugins.registry import EVENTS, HOOKS, Registry, misspelt
from skep.scheduler import Rule
from skep.settings import PluginTable, Settings, parse_plugin_settings

if TYPE_CHECKING:
    from skep.agent import Agent

__all__ = ["PluginManager", "name_of"]

_CHECK_EVERY = 1.0  # seconds, for workers that hang


class PluginManager:
    """The plugins of one agent.

    extra: plugins besides those that the settings name: classes, objects, modules. strict: raise what keeps a plugin from being made,
    as its `startup_error` says; else it is only noted, for those who list plugins. Raises PluginError, SettingsError.
    """

    def __init__(
        self, settings: Settings, extra: Sequence[type[Plugin] | Plugin | ModuleType] = (), *, strict: bool = True
    ) -> None:
        self._settings = settings
        self._strict = strict
        self._installed = installed()
        self._records: dict[str, Record] = {}
        self._registry = Registry()
        self._lifelines: list[Lifeline] = []
        self._keeper: asyncio.Task[None] | None = None
        self.current: list[str] = []
        """The plugin whose filter or strategy is running now, if any."""
        self._make_all(extra)
        self.plugins: dict[str, Any] = {r.name: r.plugin for r in self._records.values() if r.plugin is not None}
        for name in reversed(self.plugins):  # pluggy asks the last one first
            self._guard(self._records[name], self._register)
        self.plugins = {name: plugin for name, plugin in self.plugins.items() if self._registry.has_plugin(name)}
        self._calls = {
            hook: [
                (self._records[name], function, takes) for name, function, takes in self._registry.implementations(hook)
            ]
            for hook in HOOKS
        }
        mailboxes = {name: self._mailbox(self._records[name]) for name in self.plugins}
        self._readers = {
            hook: [m for name, m in mailboxes.items() if m is not None and self._hears(name, hook)] for hook in EVENTS
        }
        self._lifelines = [
            Lifeline(self._records[name], mailboxes[name], runs=self._implements(name, "run")) for name in self.plugins
        ]

    # -- making

    def _make_all(self, extra: Sequence[Any]) -> None:
        given = {}
        for plugin in extra:
            name = name_of(plugin)
            if name in given:
                raise PluginError(f"plugin {name}: two plugins have this name; set the attribute `name` of one")
            given[name] = plugin
        for name, table in self._settings.plugins.items():
            self._make(name, table, given.pop(name, None))
        for name, plugin in given.items():
            self._make(name, PluginTable(), plugin)

    def _make(self, name: str, table: PluginTable, given: Any) -> None:
        record = self._records[name] = Record(name, origin_of(given) if given is not None else "", table)
        if not table.enabled:
            record.state = PluginState.DISABLED
            found = self._installed.get(name) if given is None and not table.path else None
            record.origin = record.origin or table.path or (found.origin if found else "not installed")
            return
        self._guard(record, lambda each: self._load(each, given))

    def _guard(self, record: Record, step: Any) -> None:
        """Take a step of making a plugin; if it fails, note that, and raise it where the agent shall not start without it."""
        try:
            step(record)
        except SkepError as error:
            record.plugin = None
            record.fail(str(error))
            if self._strict and record.table.startup_error != "ignore":
                raise
            if self._strict:
                record.log.error("%s; going on without it", error)

    def _load(self, record: Record, plugin: Any) -> None:
        if plugin is None:
            found = find(record.name, record.table, self._settings.source, self._installed)
            record.origin = found.origin
            plugin = found.load()
        if inspect.isclass(plugin):
            plugin = self._instance(record, plugin)
        elif record.table.own:
            raise PluginError(
                f"plugin {record.name}: takes no settings, but its table has {', '.join(record.table.own)}"
            )
        if isinstance(plugin, Plugin):
            plugin.name, plugin.log = record.name, record.log
        record.plugin = plugin

    def _instance(self, record: Record, kind: type) -> Any:
        if not issubclass(kind, Plugin):
            raise PluginError(f"plugin {record.name}: {kind.__name__} does not derive from skep.Plugin")
        settings = parse_plugin_settings(
            kind.Settings, record.table, record.name, self._settings.source, self._settings.origins
        )
        try:
            return kind(settings)
        except SkepError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(f"plugin {record.name}: cannot be made: {type(error).__name__}: {error}") from error

    def _register(self, record: Record) -> None:
        self._registry.add(record.plugin, record.name)
        for wrong, right in misspelt(record.plugin):
            hint = "is not marked @skep.hookimpl" if wrong == right else f"is no hook; did you mean {right}?"
            record.warnings.append(f"{wrong} {hint}")
            record.log.warning("%s %s", wrong, hint)

    def _mailbox(self, record: Record) -> Mailbox | None:
        own = {
            hook: [(hook, function, takes) for each, function, takes in self._calls[hook] if each is record]
            for hook in EVENTS
        }
        every = own.pop("lifecycle_event")
        lost = own.pop("events_lost")
        told = own.pop(PluginEvent.hook)
        handlers = {hook: [*found, *every] for hook, found in own.items() if found or every}
        if told:
            handlers[PluginEvent.hook] = told
        return Mailbox(record, handlers, lost) if handlers else None

    def _implements(self, name: str, hook: str) -> bool:
        return any(record.name == name for record, _, _ in self._calls[hook])

    def _hears(self, name: str, hook: str) -> bool:
        every = hook != PluginEvent.hook and self._implements(name, "lifecycle_event")
        return every or self._implements(name, hook)

    # -- calling

    def attach(self, agent: Agent) -> None:
        """Tell every plugin its agent."""
        for plugin in self.plugins.values():
            plugin.agent = agent

    def implementing(self, hook: str) -> Iterator[tuple[str, Any]]:
        """The plugins that implement a hook, in order: name and function. Calling it is not isolated."""
        for record, function, _ in self._calls[hook]:
            yield record.name, function

    def rules(self, hook: str) -> list[Rule]:
        """The filters (`filter_nodes`) or strategies (`score_nodes`), for the scheduler."""
        return [
            Rule(record.name, calls.rule(record, hook, function, takes, self.current), record.table.weight)
            for record, function, takes in self._calls[hook]
        ]

    def contributions(self, hook: str, *arguments: Any) -> Iterator[tuple[str, Any]]:
        """Ask every plugin for its contribution: name and answer. One that fails is left out, and counted."""
        for record, function, takes in self._calls[hook]:
            answer, had = calls.contribution(record, hook, function, arguments[:takes])
            if had:
                yield record.name, answer

    async def ask(self, hook: str, argument: Any) -> Any:
        """Put an awaited question to one plugin after another; each may hand a changed argument on.

        Raises RequestError: the plugin's own, or one naming it (500) where it failed and the hook's policy is to refuse.
        """
        return await calls.ask(self._calls[hook], hook, argument)

    def publish(self, event: LifecycleEvent | PluginEvent) -> None:
        """Tell every plugin of an event. Never waits, never raises."""
        for mailbox in self._readers.get(event.hook, ()):
            mailbox.put(event)

    # -- life

    async def start(self) -> None:
        """Enter all plugins, in order, then begin their `run`s. Raises what keeps one from starting; call `stop` then too."""
        self._keeper = asyncio.create_task(self._keep(), name="plugins: workers")
        for lifeline in self._lifelines:
            await lifeline.start()
        for lifeline in self._lifelines:
            lifeline.run()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_EVERY)
            for lifeline in self._lifelines:
                lifeline.check()

    async def stop(self) -> None:
        """Leave all plugins, in reverse order, each within its timeout. Raises nothing of theirs."""
        if self._keeper is not None:
            self._keeper.cancel()
        try:
            for lifeline in reversed(self._lifelines):
                await lifeline.stop()
        finally:
            for lifeline in self._lifelines:
                lifeline.abort()

    # -- telling

    def blame(self, modules: Sequence[str], task: str) -> str:
        """The plugin whose code runs in these modules (innermost first) and this task; "" where none does. From any thread."""
        if self.current:
            return self.current[-1]
        if task.startswith("plugin "):
            return task.removeprefix("plugin ").partition(":")[0]
        owners: dict[str, list[str]] = {}
        for name, plugin in self.plugins.items():
            home = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
            owners.setdefault(home.partition(".")[0], []).append(name)
        for module in modules:
            found = owners.get(module.partition(".")[0], [])
            if len(found) == 1:
                return found[0]
        return ""

    def counters(self, plugin: str, hook: str) -> HookCounters:
        """What is counted of a hook of a plugin that the settings name, or of something else that it does."""
        return self._records[plugin].counters(hook)

    def statuses(self) -> list[PluginStatus]:
        """What has become of the plugins that the settings name, in order, and which others are installed."""
        own = [record.status() for record in self._records.values()]
        others = [each for name, each in self._installed.items() if name not in self._records]
        return own + [PluginStatus(each.name, each.origin, PluginState.INSTALLED) for each in others]

    def report(self) -> list[dict[str, Any]]:
        """`statuses` as data, with the counters of all hooks summed up."""
        return [_row(status) for status in self.statuses()]


def _row(status: PluginStatus) -> dict[str, Any]:
    total = HookCounters()
    hooks = {}
    for hook, each in status.hooks.items():
        hooks[hook] = {"calls": each.calls, "errors": each.errors, "timeouts": each.timeouts, "seconds": each.seconds}
        total.calls += each.calls
        total.errors += each.errors
        total.timeouts += each.timeouts
        total.seconds += each.seconds
    return {
        "name": status.name,
        "from": status.origin,
        "status": str(status.state),
        "error": status.why,
        "warnings": list(status.warnings),
        "calls": total.calls,
        "errors": total.errors,
        "timeouts": total.timeouts,
        "seconds": total.seconds,
        "dropped": status.dropped,
        "waiting": status.waiting,
        "hooks": hooks,
    }


def name_of(plugin: Any) -> str:
    """The name of a plugin that was handed over: its own, or made from its class or module."""
    if isinstance(plugin, ModuleType):
        return plugin.__name__.rpartition(".")[2].removeprefix("skep_")
    kind = plugin if inspect.isclass(plugin) else type(plugin)
    given: str = getattr(plugin, "name", "")
    return (
        given or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__.removesuffix("Plugin") or kind.__name__).lower()
    )
