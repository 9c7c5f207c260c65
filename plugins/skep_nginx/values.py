"""Values: small, strict, and each error says what was there and what would be right."""

from __future__ import annotations

import re

__all__ = ["parse_port", "short", "wrong"]

_PORT = re.compile(r"[0-9]{1,5}")


def parse_port(name: str, text: str) -> int | None:
    """A port from 1 to 65535; None for "". Raises ValueError."""
    digits = text.strip(" \t")
    if not digits:
        return None
    if not _PORT.fullmatch(digits) or not 0 < int(digits) < 65536:
        raise wrong(name, text, "expected one number from 1 to 65535, such as 8080")
    return int(digits)


def wrong(name: str, text: str, why: str) -> ValueError:
    """An error about the value of a variable or label."""
    return ValueError(f"{name} is {short(text)}: {why}")


def short(text: str) -> str:
    """Safe to log, whatever it is."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")
