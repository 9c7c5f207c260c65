"""Which values are wanted, and by which names."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from .properties import Properties, bad

__all__ = ["chosen", "renamed"]

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


def chosen(values: dict[str, str], asked: Properties) -> dict[str, str]:
    """Those that `Includes` and `Excludes` leave."""
    includes, excludes = asked.list("Includes") or ["*"], asked.list("Excludes")
    return {
        key: value
        for key, value in sorted(values.items())
        if any(fnmatchcase(key, each) for each in includes) and not any(fnmatchcase(key, each) for each in excludes)
    }


def renamed(values: dict[str, str], asked: Properties) -> dict[str, str]:
    """The values by the names that `Rename`, `KeyStyle` and `Prefix` make. Two of one name are refused."""
    pairs = [each.partition("=") for each in asked.list("Rename")]
    if wrong := next((old for old, _, new in pairs if not new), ""):
        raise bad("Rename", f"expected Old=New, got {wrong!r}")
    others = {old: new for old, _, new in pairs}
    if unknown := next((old for old in others if old not in values), ""):
        raise bad("Rename", f"there is no {unknown}; there are {', '.join(values) or 'none'}")
    snake = asked.choice("KeyStyle", ("keep", "upper_snake"), "keep") == "upper_snake"
    origins: dict[str, str] = {}
    for key in values:
        name = others.get(key) or asked.text("Prefix") + (
            "_".join(filter(None, _WORDS.split(key))).upper() if snake else key
        )
        if name in origins:
            raise bad("Rename", f"{origins[name]} and {key} would both be called {name}")
        origins[name] = key
    return {name: values[key] for name, key in sorted(origins.items())}
