"""One value of a setting: what is expected of it in an operator's words, and what was found instead."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Meta, Struct

__all__ = ["SECONDS", "Text", "arms", "expected", "found", "is_seconds", "parse_duration", "plain", "unwrap"]

SECONDS = Meta(gt=0, extra={"unit": "seconds"})
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Text(str):
    """A value as the environment or a flag gives it: what it means depends on what is expected there."""

    __slots__ = ()

    def toml(self) -> Any:
        """What it is as TOML; the text itself where it is none."""
        try:
            data = tomllib.loads(f"value = {self}")
        except tomllib.TOMLDecodeError:
            return str(self)
        return data["value"] if len(data) == 1 else str(self)

    def text(self) -> str:
        """What it is where a text is expected: quotes may be left out, so that `12` is a text too."""
        value = self.toml()
        return value if isinstance(value, str) else str(self)


def plain(value: Any) -> Any:
    """A value for which nothing is expected, without `Text` in it."""
    if isinstance(value, Text):
        return value.toml()
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


def unwrap(kind: Any) -> tuple[Any, tuple[Meta, ...]]:
    """A type without `Annotated`, and what that said."""
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        return inner, tuple(each for each in more if isinstance(each, Meta))
    return kind, ()


def arms(kind: Any) -> tuple[Any, ...]:
    """The types of a union but None; else the type alone."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(arm for arm in get_args(kind) if arm is not NoneType)
    return (kind,)


def is_seconds(kind: Any) -> bool:
    """Whether a type is `Seconds`, or a plugin's own with other limits and the same unit."""
    return any((meta.extra or {}).get("unit") == "seconds" for meta in unwrap(kind)[1])


def parse_duration(text: str) -> float | None:
    """`500ms`, `2.5s`, `1m`, `1h`, `1d` in seconds; None for anything else."""
    match = _DURATION.fullmatch(text.strip())
    return float(match[1]) * _UNITS[match[2]] if match else None


def expected(kind: Any) -> str:
    """A type in an operator's words, such as `a whole number, at least 1`."""
    base, metas = unwrap(kind)
    limits = [limit for meta in metas for limit in _limits(meta)]
    if is_seconds(kind):
        return ", ".join(["seconds", *limits, 'such as 2.5, "10s" or "1m"'])
    return ", ".join([" or ".join(dict.fromkeys(_words(arm) for arm in arms(base))), *limits])


def _words(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if get_origin(kind) is Annotated:
        return expected(kind)
    if origin is Literal:
        return "one of " + ", ".join(f'"{each}"' if isinstance(each, str) else str(each) for each in arguments)
    if isinstance(kind, type) and issubclass(kind, Struct):
        return "a table"
    if origin is not None and isinstance(origin, type):
        if issubclass(origin, Mapping):
            return f"a table of {_many(arguments[1])}"
        return f"a list of {_many(arguments[0])}"
    return _NAMES.get(kind, getattr(kind, "__name__", str(kind)))


def _many(kind: Any) -> str:
    return _PLURALS.get(unwrap(kind)[0]) or f"({expected(kind)})"


_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes", Any: "any value"}
_PLURALS = {bool: "true or false", int: "whole numbers", float: "numbers", str: "texts in quotes", Any: "values"}


def _limits(meta: Meta) -> list[str]:
    said = {
        "at least": meta.ge,
        "more than": meta.gt,
        "at most": meta.le,
        "less than": meta.lt,
        "of a length of at least": meta.min_length,
        "of a length of at most": meta.max_length,
        "matching": meta.pattern,
    }
    return [f"{words} {limit}" for words, limit in said.items() if limit is not None]


def found(value: Any, kind: Any) -> str:
    """A wrong value in words. Texts are shown only where one of a few is expected: elsewhere they may be secrets."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        shows = any(get_origin(arm) is Literal for arm in arms(unwrap(kind)[0])) or is_seconds(kind)
        return f'"{value}"' if shows and len(value) < 40 else "a text"
    if isinstance(value, Mapping):
        return "a table"
    return "a list" if isinstance(value, (list, tuple)) else f"a {type(value).__name__}"
