"""What pluggy does for us: registration, validation, order. Calling is ours, as its way of calling fits no coroutines."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import pluggy

from skep import events
from skep.errors import PluginError
from skep.hooks import Plugin

__all__ = ["EVENTS", "HOOKS", "Registry", "misspelt"]

HOOKS: Mapping[str, bool] = {
    name: inspect.iscoroutinefunction(value)
    for name, value in vars(Plugin).items()
    if inspect.isfunction(value) and not name.startswith("_")
}
"""Every hook, and whether it is awaited."""

EVENTS = frozenset(
    {"events_lost", events.PluginEvent.hook}
    | {
        each.hook
        for each in vars(events).values()
        if inspect.isclass(each) and issubclass(each, events.LifecycleEvent) and each.hook in HOOKS
    }
)
"""The hooks that events are told through."""


class Registry(pluggy.PluginManager):
    """pluggy's plugin manager, with `Plugin` as the hooks' specification: a class that overrides a method implements it."""

    def __init__(self) -> None:
        super().__init__("skep")
        self.add_hookspecs(Plugin)

    def parse_hookspec_opts(self, module_or_class: Any, name: str) -> Any:
        """Take every public method of `Plugin` as a hook."""
        return {} if name in HOOKS else None

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        """Take what overrides a method of `Plugin`, and what is marked; look at no property."""
        home = plugin if isinstance(plugin, ModuleType) else type(plugin)
        found = inspect.getattr_static(home, name, None)
        marked = getattr(found, "skep_impl", None)
        if isinstance(plugin, Plugin):
            if name in HOOKS and found is not inspect.getattr_static(Plugin, name):
                return dict(marked or {})
            return dict(marked) if marked and name not in HOOKS else None
        return dict(marked) if marked else None

    def add(self, plugin: object, name: str) -> None:
        """Register a plugin. Raises PluginError saying which of its hooks is wrong."""
        try:
            for hook_name in HOOKS:
                if self.parse_hookimpl_opts(plugin, hook_name) is not None:
                    _check_arguments(hook_name, getattr(plugin, hook_name))
            self.register(plugin, name)
            for hook in self.get_hookcallers(plugin) or ():
                self._check(hook, plugin, name)
        except (pluggy.PluginValidationError, PluginError) as error:
            if self.has_plugin(name):
                self.unregister(name=name)
            first = str(error).strip().splitlines()
            raise PluginError(f"plugin {name}: " + " ".join(first).removeprefix(f"plugin {name}: ")) from None

    def _check(self, hook: pluggy.HookCaller, plugin: object, name: str) -> None:
        if not hook.has_spec():
            near = _like(hook.name, 0.6)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(HOOKS))}"
            raise PluginError(f"plugin {name}: there is no hook {hook.name}: {hint}")
        for each in hook.get_hookimpls():
            if each.plugin is not plugin:
                continue
            if each.wrapper or each.hookwrapper:
                raise PluginError(f"plugin {name}: {hook.name} cannot be a wrapper")
            if not HOOKS[hook.name] and inspect.iscoroutinefunction(each.function):
                raise PluginError(f"plugin {name}: {hook.name} is not awaited: expected def, got async def")

    def implementations(self, hook: str) -> Iterator[tuple[str, Any, int]]:
        """Who implements a hook, in the order of asking: plugin's name, function, how many arguments it takes (0 or 1)."""
        for each in reversed(getattr(self.hook, hook).get_hookimpls()):
            yield each.plugin_name, each.function, len(each.argnames)


def _check_arguments(hook: str, function: Callable[..., Any]) -> None:
    """Raise PluginError where a hook's implementation calls its argument otherwise than the hook does."""
    wanted = list(inspect.signature(getattr(Plugin, hook)).parameters)[1:]
    got = list(inspect.signature(function).parameters)
    if not set(got) <= set(wanted):
        raise PluginError(f"expected {hook}({', '.join(wanted)}), got {hook}({', '.join(got)})")


def _like(name: str, cutoff: float) -> list[str]:
    """The hook whose name is most like this one, if one is."""
    import difflib  # here: few plugins need it, and every idle agent would hold it

    return difflib.get_close_matches(name, HOOKS, 1, cutoff)


def misspelt(plugin: object) -> Iterator[tuple[str, str]]:
    """Public methods or functions of a plugin that look like hooks with a slip in the name: the name, and what was meant."""
    is_module = isinstance(plugin, ModuleType)
    home: Any = plugin if is_module else type(plugin)
    for name in dir(home):
        value = inspect.getattr_static(home, name)
        if name.startswith("_") or not inspect.isfunction(value) or hasattr(value, "skep_impl"):
            continue
        if is_module and value.__module__ != home.__name__:
            continue
        if name in HOOKS and not is_module:
            continue
        if near := _like(name, 0.8):
            yield name, near[0]
