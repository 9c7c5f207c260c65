"""Where settings come from: a file, then the environment, then flags; a later one goes over an earlier one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from skep.errors import SettingsError
from skep.settings.values import Text

__all__ = ["choose_plugins", "environment", "lines", "overlay", "read", "split_flag"]

_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_\-.\"' ]+?)\s*=")


def read(path: Path) -> tuple[dict[str, Any], str]:
    """A settings file as data, and as text. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text), text
    except OSError as error:
        raise SettingsError(f"cannot read the settings file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def lines(text: str) -> dict[str, int]:
    """Where in a TOML file each dotted key is said first. For messages: it may be misled by texts of several lines."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _bare(header[1])
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault(f"{table}.{_bare(key[1])}" if table else _bare(key[1]), number)
    return found


def _bare(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def overlay(data: Mapping[str, Any], key: str, value: str) -> dict[str, Any]:
    """Put a value over data, at a dotted key such as `plugins.nginx.listen`, and return the whole.

    The value is TOML (`5`, `true`, `["a"]`); what is none is a text, and where a text is expected quotes may be left out.
    Raises SettingsError for a key that is none.
    """
    first, *rest = key.split(".")
    if not first.strip() or (rest and not all(part.strip() for part in rest)):
        raise SettingsError(f"{key!r} is not a key: expected TABLE.KEY, such as cluster.heartbeat")
    if not rest:
        return {**data, first: Text(value)}
    below = data.get(first, {})
    if not isinstance(below, Mapping):
        raise SettingsError(f"{key}: {first} is a value, not a table")
    return {**data, first: overlay(below, ".".join(rest), value)}


def environment(variables: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Settings in the environment, `SKEP_CLUSTER__HEARTBEAT`: dotted key, value, name of the variable."""
    for name in sorted(variables):
        if name.startswith("SKEP_") and "__" in name:
            yield name.removeprefix("SKEP_").lower().replace("__", "."), variables[name], name


def split_flag(flag: str) -> tuple[str, str]:
    """`cluster.heartbeat=5s` as key and value. Raises SettingsError."""
    key, separator, value = flag.partition("=")
    if not separator:
        raise SettingsError(f"{flag!r}: expected KEY=VALUE, such as cluster.heartbeat=5s")
    return key.strip(), value


def choose_plugins(data: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Let exactly these plugins run, in this order, with what is set for them; the others stay known, as disabled."""
    tables = data.get("plugins", {})
    if not isinstance(tables, Mapping):
        return dict(data)
    chosen = dict.fromkeys(name.strip() for name in names if name.strip())
    on = {name: {**_table(tables.get(name, {})), "enabled": True} for name in chosen}
    off = {name: {**_table(table), "enabled": False} for name, table in tables.items() if name not in chosen}
    return {**data, "plugins": on | off}


def _table(table: Any) -> dict[str, Any]:
    return dict(table) if isinstance(table, Mapping) else {}
