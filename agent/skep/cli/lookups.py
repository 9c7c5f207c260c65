"""Which lookups the command line knows: those of the settings' plugins, or of all that are installed."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec
from click.shell_completion import CompletionItem

from skep.errors import PluginError, SkepError

if TYPE_CHECKING:
    from skep.hooks import Lookup
    from skep.settings import Settings

__all__ = ["complete_lookup", "complete_property", "lookup_settings", "lookups_of"]


def lookup_settings(path: Path | None, flags: tuple[str, ...] = ()) -> Settings:
    """Settings with no more than the plugins that bring lookups. Plugins that cannot be had are told, and left out."""
    from skep.plugins import PluginManager
    from skep.settings import Settings, load_settings, parse_settings

    if path is not None:
        settings = load_settings(path, flags=flags)
    else:
        data: dict[str, dict[str, object]] = {"plugins": {name: {} for name in _installed()}}
        settings = parse_settings(data, environ=os.environ, flags=flags)
    manager = PluginManager(settings, strict=False)
    for status in manager.statuses():
        if status.why and path is not None:
            click.echo(f"plugin {status.name}: {status.why}", err=True)
    names = [name for name, _ in manager.implementing("lookups")]
    return msgspec.structs.replace(
        Settings(), plugins={name: settings.plugins[name] for name in names}, log=settings.log, source=settings.source
    )


def _installed() -> list[str]:
    """The installed plugins that bring lookups."""
    from skep.cli.entry import installed
    from skep.hooks import Plugin

    found = []
    for name, entry in installed().items():
        try:
            plugin = entry.load()
        except Exception as error:
            click.echo(PluginError(f"plugin {name} is broken: {type(error).__name__}: {error}"), err=True)
            continue
        own = inspect.getattr_static(plugin, "lookups", None)
        if own is not None and own is not inspect.getattr_static(Plugin, "lookups"):
            found.append(name)
    return found


def lookups_of(settings: Settings) -> Mapping[str, Lookup]:
    """All lookups of the settings' plugins, by name."""
    from skep.plugins import Lookups, PluginManager

    return Lookups(PluginManager(settings)).known


def complete_lookup(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """The names of lookups, for a shell."""
    known = _known(context)
    return [CompletionItem(name, help=each.help) for name, each in sorted(known.items()) if name.startswith(start)]


def complete_property(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """The properties of the lookup that the line names, for a shell."""
    lookup = _known(context).get(context.params.get("name") or "")
    properties = lookup.properties if lookup is not None else {}
    names = {key.removesuffix("*") if key.endswith("*") else f"{key}=": text for key, text in properties.items()}
    return [CompletionItem(name, help=text) for name, text in names.items() if name.startswith(start)]


def _known(context: click.Context) -> Mapping[str, Lookup]:
    """A shell that completes wants no errors."""
    try:
        return lookups_of(lookup_settings(context.params.get("path")))
    except SkepError:
        return {}
