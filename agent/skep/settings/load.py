"""From a TOML file, the environment and flags to `Settings`; without I/O but reading that file."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from skep.errors import SettingsError
from skep.settings.model import PluginSettings, PluginTable, Settings

__all__ = ["load_settings", "parse_plugin_settings", "parse_settings"]

T = TypeVar("T", bound=msgspec.Struct)
_OWNED = {field.name for field in msgspec.structs.fields(PluginTable)} - {"own"}


def load_settings(path: Path) -> Settings:
    """Read a settings file. Raises SettingsError naming file, key and what would be right."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None
    return parse_settings(data, source=str(path))


def parse_settings(data: Mapping[str, Any], *, source: str = "settings") -> Settings:
    """Check settings that are already data (as of tomllib). Raises SettingsError naming the key and what would be right."""
    plugins = data.get("plugins", {})
    if not isinstance(plugins, Mapping):
        raise SettingsError(f"{source}: plugins: expected tables, [plugins.NAME]")
    tables = {name: _plugin_table(name, table, source) for name, table in plugins.items()}
    rest = {key: value for key, value in data.items() if key != "plugins"}
    return msgspec.structs.replace(_convert(rest, Settings, source, ""), plugins=tables, source=source)


def parse_plugin_settings(kind: type[PluginSettings], table: PluginTable, name: str, source: str) -> PluginSettings:
    """Check a plugin's own settings against its class. Raises SettingsError as `load_settings`."""
    return _convert(table.own, kind, source, f"plugins.{name}.")


def _plugin_table(name: str, table: object, source: str) -> PluginTable:
    if not isinstance(table, Mapping):
        raise SettingsError(f"{source}: plugins.{name}: expected a table, [plugins.{name}]")
    owned = {key: value for key, value in table.items() if key in _OWNED}
    own = {key: value for key, value in table.items() if key not in _OWNED}
    return msgspec.structs.replace(_convert(owned, PluginTable, source, f"plugins.{name}."), own=own)


def _convert(data: Mapping[str, Any], kind: type[T], source: str, prefix: str) -> T:
    known = [field.encode_name for field in msgspec.structs.fields(kind)]
    for key in data:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known) or 'none'}"
            raise SettingsError(f"{source}: unknown key {prefix}{key}: {hint}")
    try:
        return msgspec.convert(data, kind, str_keys=True)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{source}: {prefix.rstrip('.')}: {error}") from None
