"""Times as the Engine API writes them."""

from __future__ import annotations

from datetime import UTC, datetime

ZERO = "0001-01-01T00:00:00Z"
_UNITS = (  # (limit in hours, hours per unit, name): the steps in which the engine speaks of ages
    (48, 1, "hours"),
    (24 * 14, 24, "days"),
    (24 * 60, 24 * 7, "weeks"),
    (24 * 730, 24 * 30, "months"),
)


def rfc3339(nanoseconds: int) -> str:
    """Nanoseconds since 1970 as RFC 3339 in UTC; 0 is Go's zero time."""
    if not nanoseconds:
        return ZERO
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    tail = f".{fraction:09d}".rstrip("0").rstrip(".")
    return f"{text}{tail}Z"


def timestamp(text: str) -> int | None:
    """A client's ``since`` or ``until`` (seconds with fraction, or RFC 3339) in nanoseconds; None when empty.

    Raises ValueError for anything else.
    """
    if not text:
        return None
    if "T" in text:
        return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e9)
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 1_000_000_000 + int((fraction + "0" * 9)[:9])


def age(seconds: float) -> str:
    """A duration in the words of `docker ps` (``About a minute``, ``3 hours``)."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    if whole < 120:
        return "About a minute"
    if whole < 3600:
        return f"{whole // 60} minutes"
    hours = round(seconds / 3600)
    if hours <= 1:
        return "About an hour"
    for limit, unit, name in _UNITS:
        if hours < limit:
            return f"{hours // unit} {name}"
    return f"{hours // 8760} years"
