"""Values: small, strict, and each error says what was there and what would be right."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["parse_bool", "parse_choice", "parse_number", "parse_port", "short", "wrong"]

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_DIGITS = re.compile(r"[0-9]{1,9}")


def parse_bool(name: str, text: str) -> bool | None:
    """A truth value as Go reads it; None for "". Raises ValueError."""
    word = text.strip(" \t")
    if not word:
        return None
    if word not in _TRUE | _FALSE:
        raise wrong(name, text, "expected true or false")
    return word in _TRUE


def parse_choice(name: str, text: str, choices: Collection[str]) -> str | None:
    """One of some words, in lower case; None for "". Raises ValueError."""
    word = text.strip(" \t").lower() if len(text) <= 60 else text
    if not word:
        return None
    if word not in choices:
        raise wrong(name, text, f"expected one of {', '.join(choices)}")
    return word


def parse_number(name: str, text: str, least: int, most: int, example: int) -> int | None:
    """A whole number; None for "". Raises ValueError."""
    digits = text.strip(" \t") if len(text) <= 60 else text
    if not digits:
        return None
    if not _DIGITS.fullmatch(digits) or not least <= int(digits) <= most:
        raise wrong(name, text, f"expected one number from {least} to {most}, such as {example}")
    return int(digits)


def parse_port(name: str, text: str) -> int | None:
    """A port from 1 to 65535; None for "". Raises ValueError."""
    return parse_number(name, text, 1, 65535, 8080)


def wrong(name: str, text: str, why: str) -> ValueError:
    """An error about the value of a variable or label."""
    return ValueError(f"{name} is {short(text)}: {why}")


def short(text: str) -> str:
    """Safe to log, whatever it is."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")
