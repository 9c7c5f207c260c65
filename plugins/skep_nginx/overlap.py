"""Whether two names of sites have names of requests in common; where that cannot be told of patterns, they do."""

from __future__ import annotations

from skep_nginx.hosts import covers
from skep_nginx.model import Host
from skep_nginx.patterns import literal_ends

__all__ = ["is_broad", "is_within", "share_names"]


def share_names(one: Host, other: Host) -> bool:
    """Whether a request could come to either. Patterns are told apart by how what they match begins and ends."""
    if not one.is_pattern or not other.is_pattern:
        return bool(covers(one, (other,)) or covers(other, (one,)))
    (head, tail), (other_head, other_tail) = _ends(one), _ends(other)
    same_head = head.startswith(other_head) or other_head.startswith(head)
    same_tail = tail.endswith(other_tail) or other_tail.endswith(tail)
    return same_head and same_tail


def is_within(host: Host, name: Host) -> bool:
    """Whether all that `host` can be asked by is `name`'s."""
    if host == name or not host.is_pattern:
        return bool(covers(name, (host,)))
    return host.startswith("*.") and name.startswith("*.") and host.endswith(name[1:])


def is_broad(host: Host) -> bool:
    """Whether it names no domain of its own, of two labels at least: `*.com`, `www.*`, `~^a`."""
    if not host.is_pattern:
        return False
    head, tail = _ends(host)
    return tail.count(".") < 2 and not (host.is_regex and head == tail != "")


def _ends(host: Host) -> tuple[str, str]:
    """What all names of a pattern begin and end with."""
    if host.is_regex:
        return literal_ends(host[1:].lower())
    return ("", host[1:]) if host.startswith("*.") else (host[:-1], "")
