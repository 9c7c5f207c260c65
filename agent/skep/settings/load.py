"""From a TOML file, the environment and flags to `Settings`; without I/O but reading that file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from skep.errors import SettingsError
from skep.settings.check import Check
from skep.settings.layers import choose_plugins, environment, lines, overlay, read, split_flag
from skep.settings.model import PluginSettings, PluginTable, Settings

__all__ = ["OWNED", "load_settings", "parse_plugin_settings", "parse_settings"]

OWNED = frozenset(field.name for field in msgspec.structs.fields(PluginTable)) - {"own"}
"""The keys of a plugin's table that the core owns."""


def load_settings(
    path: Path | None = None, *, environ: Mapping[str, str] | None = None, flags: Iterable[str] = ()
) -> Settings:
    """Read settings: a TOML file (None: no file), over it the environment, over that flags (`cluster.heartbeat=5s`).

    environ: variables such as `SKEP_CLUSTER__HEARTBEAT=5s`; None is this process's. `SKEP_PLUGINS=a,b` lets exactly these
    plugins run, whatever the file says. Raises SettingsError naming where, which key, and what would be right.
    """
    data, text = read(path) if path is not None else ({}, "")
    source = str(path) if path is not None else "settings"
    origins = {key: f"{source}, line {number}" for key, number in lines(text).items()}
    return parse_settings(
        data, source=source, environ=os.environ if environ is None else environ, flags=flags, origins=origins
    )


def parse_settings(
    data: Mapping[str, Any],
    *,
    source: str = "settings",
    environ: Mapping[str, str] | None = None,
    flags: Iterable[str] = (),
    origins: Mapping[str, str] | None = None,
) -> Settings:
    """Check settings that are already data (as of tomllib). Raises SettingsError naming the key and what would be right.

    source: names the data in messages. environ, flags: as of `load_settings`, here nothing unless given. origins: of a dotted key where
    it was said.
    """
    where = dict(origins or {})
    data = _lay_over(data, environment(environ or {}), where)
    if (named := (environ or {}).get("SKEP_PLUGINS")) is not None:
        data = choose_plugins(data, named.split(","))
        where |= {f"plugins.{name.strip()}.enabled": "SKEP_PLUGINS" for name in named.split(",")}
    data = _lay_over(data, ((*split_flag(flag), f"--set {flag.partition('=')[0]}") for flag in flags), where)
    return _parse(data, source, where)


def _lay_over(
    data: Mapping[str, Any], layers: Iterable[tuple[str, str, str]], where: dict[str, str]
) -> Mapping[str, Any]:
    for key, value, origin in layers:
        try:
            data = overlay(data, key, value)
        except SettingsError as error:
            raise SettingsError(f"{origin}: {error}") from None
        where[key] = origin
    return data


def _parse(data: Mapping[str, Any], source: str, origins: Mapping[str, str]) -> Settings:
    check = Check(source, origins)
    plugins = data.get("plugins", {})
    if not isinstance(plugins, Mapping):
        check.fail("plugins", "expected tables, [plugins.NAME]")
    tables = {name: _plugin_table(name, table, check) for name, table in plugins.items()}
    rest = {key: value for key, value in data.items() if key != "plugins"}
    settings = check.table(rest, Settings, hidden={"plugins", "source", "origins"}, also={"plugins"})
    return msgspec.structs.replace(settings, plugins=tables, source=source, origins=origins)


def _plugin_table(name: str, table: object, check: Check) -> PluginTable:
    if not isinstance(table, Mapping):
        check.fail(f"plugins.{name}", f"expected a table, [plugins.{name}]")
    owned = {key: value for key, value in table.items() if key in OWNED}
    own = {key: value for key, value in table.items() if key not in OWNED}
    return msgspec.structs.replace(check.table(owned, PluginTable, f"plugins.{name}", hidden={"own"}), own=own)


def parse_plugin_settings(
    kind: type[PluginSettings], table: PluginTable, name: str, source: str, origins: Mapping[str, str] | None = None
) -> PluginSettings:
    """Check a plugin's own settings against its class. Raises SettingsError as `load_settings`."""
    if taken := OWNED.intersection(field.encode_name for field in msgspec.structs.fields(kind)):
        raise SettingsError(f"plugin {name}: its settings cannot have {', '.join(sorted(taken))}: skep owns these keys")
    return Check(source, origins or {}).table(table.own, kind, f"plugins.{name}", also=OWNED)
