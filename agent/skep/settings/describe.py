"""Settings described: every key with its type, default and the text below it; as rows, or as a commented TOML file."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct

from skep.settings.values import arms, expected, unwrap

__all__ = ["Setting", "describe", "reference"]

_HIDDEN = frozenset({"own", "source", "origins"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: dotted `key`, `type` in words, `default` as TOML ("" where it is required or None), `doc`."""

    key: str
    type: str
    default: str
    doc: str


def describe(kind: type[Struct], prefix: str = "") -> list[Setting]:
    """Every setting of a settings class, with those of the tables in it. `prefix` is the dotted key of the table that it describes."""
    return list(_rows(kind, f"{prefix}." if prefix else ""))


def _rows(kind: type[Struct], prefix: str) -> Iterator[Setting]:
    hints, docs = get_type_hints(kind, include_extras=True), _docs(kind)
    below: list[tuple[type[Struct], str]] = []  # after the table's own keys, as TOML wants it
    for field in msgspec.structs.fields(kind):
        if field.name in _HIDDEN:
            continue
        key, hint = f"{prefix}{field.encode_name}", hints[field.name]
        if tables := _tables(hint):
            below += [(each, f"{key}.{more}") for each, more in tables]
        else:
            yield Setting(key, expected(hint), _default(field), docs.get(field.name, ""))
    for each, key in below:
        yield from _rows(each, key)


def _tables(hint: Any) -> list[tuple[type[Struct], str]]:
    """The tables that a type is, or holds by name."""
    found = []
    for arm in arms(unwrap(hint)[0]):
        origin, arguments = get_origin(arm), get_args(arm)
        if _is_struct(arm):
            found.append((arm, ""))
        elif isinstance(origin, type) and issubclass(origin, Mapping) and _is_struct(arguments[1]):
            found.append((arguments[1], "NAME."))
    return found


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _default(field: msgspec.structs.FieldInfo) -> str:
    value = field.default if field.default is not NODEFAULT else None
    if field.default_factory is not NODEFAULT:
        value = field.default_factory()
    return "" if value is None else _toml(value)


def _toml(value: Any) -> str:
    if isinstance(value, (list, tuple, frozenset, set)):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, float) and value.is_integer():
        return f"{value:.1f}"
    return json.dumps(value if isinstance(value, (bool, int, float)) else str(value), ensure_ascii=False)


@cache
def _docs(kind: type[Struct]) -> Mapping[str, str]:
    """The texts below the attributes of a class and its bases, read from their source."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if each in (object, Struct) or each.__module__.startswith("msgspec"):
            continue
        try:
            (body,) = ast.parse(textwrap.dedent(inspect.getsource(each))).body
        except (OSError, TypeError, SyntaxError, ValueError):  # no source at hand
            continue
        assert isinstance(body, ast.ClassDef)
        for statement, after in zip(body.body, body.body[1:], strict=False):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                match after:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        found[statement.target.id] = inspect.cleandoc(text)
    return found


def reference(kind: type[Struct], table: str = "") -> str:
    """Settings as a commented TOML file in which every key is off: its text, its type, its default. `table` is the dotted key."""
    parts: list[str] = [f"[{table}]"] if table else []
    current = table
    for row in describe(kind, table):
        home, _, name = row.key.rpartition(".")
        if home != current:
            current = home
            parts.append(f"[{home}]")
        doc = [f"# {line}".rstrip() for line in row.doc.splitlines()]
        parts += [*doc, f"# {row.type[:1].upper()}{row.type[1:]}.", f"#{name} = {row.default}".rstrip(), ""]
    return "\n".join(parts).rstrip("\n") + "\n"
