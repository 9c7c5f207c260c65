"""Plugins as the command line meets them: one is loaded alone, under a guard, and only when its name is called for.

Not by the agent's plugin manager: commands should not wait for its imports.
"""

from __future__ import annotations

import importlib.metadata
import inspect
from typing import TYPE_CHECKING, Any

import click

from skep.errors import PluginError

if TYPE_CHECKING:
    from skep.hooks import DiscoveryBackend

__all__ = ["discovery_backend", "installed", "plugin_command"]


def installed() -> dict[str, importlib.metadata.EntryPoint]:
    """The installed plugins by name; nothing of them is imported."""
    found = importlib.metadata.entry_points(group="skep")
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def load(entry: importlib.metadata.EntryPoint) -> Any:
    """Import one plugin, and make it with its default settings. Raises PluginError naming it, whatever is wrong with it."""
    try:
        found = entry.load()
        made: Any = found() if inspect.isclass(found) else found
    except Exception as error:
        raise PluginError(f"plugin {entry.name} is broken: {type(error).__name__}: {error}") from error
    if inspect.isclass(found):
        made.name = entry.name
    return made


def _contribution(entry: importlib.metadata.EntryPoint, hook: str, empty: Any) -> Any:
    call = getattr(load(entry), hook, None)
    try:
        return empty if call is None else call()
    except Exception as error:
        raise PluginError(f"plugin {entry.name}: {hook} failed: {type(error).__name__}: {error}") from error


def plugin_command(plugin: str, name: str) -> click.Command | None:
    """The command `name` of a plugin: the one that it calls so, else a group of all it brings.

    None where no such plugin is installed, or it brings none. Raises PluginError naming a broken one.
    """
    entry = installed().get(plugin) or installed().get(plugin.replace("-", "_"))
    if entry is None:
        return None
    commands = {command.name: command for command in _contribution(entry, "add_commands", ())}
    if name in commands:
        return commands[name]  # type: ignore[no-any-return]
    if not commands or name not in (entry.name, entry.name.replace("_", "-")):
        return None
    group = click.Group(name, help=f"Commands of the plugin {entry.name}.")
    for command in commands.values():
        group.add_command(command)
    return group


def discovery_backend(url: str) -> tuple[DiscoveryBackend, str]:
    """What finds engines by a URL, and the rest of the URL behind its scheme; without a scheme it is a list, nodes://.

    Asked are the plugin `discovery` and one that is called as the scheme. Raises PluginError where neither knows it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "nodes", url
    plugins, known = installed(), []
    for name in dict.fromkeys(("discovery", scheme)):
        if name in plugins:
            backends = _contribution(plugins[name], "discovery_backends", {})
            if scheme in backends:
                return backends[scheme], rest
            known += [f"{each}://" for each in backends]
    raise PluginError(
        f"no installed plugin finds engines by {scheme}://; known are {', '.join(sorted(known))}, "
        f"and a plugin named {scheme} would be asked"
    )
