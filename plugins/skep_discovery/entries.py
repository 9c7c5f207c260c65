"""Entries: `host:port`, and patterns that stand for several of them. All of it is pure; what is wrong raises ValueError."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

__all__ = ["MOST_ENTRIES", "expand", "parse_entries", "parse_entry"]

MOST_ENTRIES = 10_000
"""Of one list; a range is written in few bytes."""

_ENTRY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*):(?P<port>[^:\[\]]*)")
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?", re.ASCII)
_RANGE = re.compile(r"\[(.+):(.+)\]")
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)


def parse_entry(text: str) -> str:
    """Check one `host:port` (an IPv6 address in brackets) and return it. Raises ValueError saying what would be right."""
    match = _ENTRY.fullmatch(text)
    if match is None:
        raise ValueError(f"{_shown(text)} is not of the form host:port (IPv6: [::1]:2375)")
    host, port = match["host"], match["port"]
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError(f"{_shown(text)}: {host[1:-1]!r} is not an IPv6 address") from None
    elif not _NAME.fullmatch(host):
        raise ValueError(f"{_shown(text)}: {host!r} is not a host name or address")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ValueError(f"{_shown(text)}: {port!r} is not a port (1 to 65535)")
    return text


def expand(pattern: str) -> list[str]:
    """All texts that a pattern stands for: `10.0.0.[1:3]:2375` is three; without a range of numbers it stands for itself.

    As Swarm reads it: one range for each pattern, both ends included, leading zeros dropped. Raises ValueError for a range that is
    empty or has more than `MOST_ENTRIES`.
    """
    match = _RANGE.search(pattern)
    if match is None or not all(_NUMBER.fullmatch(bound) for bound in match.groups()):
        return [pattern]
    first, last = map(int, match.groups())
    if first > last:
        raise ValueError(f"{_shown(pattern)}: the range {match[0]} is empty; the lower number comes first")
    if last - first >= MOST_ENTRIES:
        raise ValueError(f"{_shown(pattern)}: the range {match[0]} has more than {MOST_ENTRIES} numbers")
    before, after = pattern[: match.start()], pattern[match.end() :]
    return [f"{before}{number}{after}" for number in range(first, last + 1)]


def parse_entries(patterns: Iterable[str], *, ranges: bool = True) -> list[str]:
    """Check patterns and return their entries, each once, in order; blanks are passed over. Raises ValueError for the first bad one."""
    entries: dict[str, None] = {}
    for pattern in filter(None, map(str.strip, patterns)):
        for text in expand(pattern) if ranges else [pattern]:
            entries[parse_entry(text)] = None
        if len(entries) > MOST_ENTRIES:
            raise ValueError(f"more than {MOST_ENTRIES} entries")
    return list(entries)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
