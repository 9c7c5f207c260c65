"""Which version of the Engine API both sides speak. Source: the Engine API reference, "Versioning"."""

from __future__ import annotations

import re

__all__ = ["NEWEST", "OLDEST", "Version", "choose", "parse_version", "show"]

Version = tuple[int, int]

OLDEST: Version = (1, 24)
"""The oldest Engine API version that skep speaks."""

NEWEST: Version = (1, 52)
"""The newest Engine API version that skep speaks."""

_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})", re.ASCII)


def parse_version(text: str) -> Version:
    """`"1.41"` as `(1, 41)`. Raises ValueError."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not an API version such as 1.41")
    return int(match[1]), int(match[2])


def show(version: Version) -> str:
    """`(1, 41)` as `"1.41"`."""
    return f"{version[0]}.{version[1]}"


def choose(newest: Version, oldest: Version | None = None) -> Version:
    """The newest version that we and an engine speaking `oldest` … `newest` have in common.

    Raises ValueError naming both ranges when there is none.
    """
    chosen = min(newest, NEWEST)
    if chosen >= max(OLDEST, oldest or OLDEST):
        return chosen
    theirs = f"{show(oldest)} to {show(newest)}" if oldest and oldest != newest else f"{show(newest)}"
    cure = "a newer skep" if newest > NEWEST else "a newer engine"
    raise ValueError(f"it speaks API version {theirs}, skep speaks {show(OLDEST)} to {show(NEWEST)}: {cure} is needed")
