"""Docker's times: RFC 3339 with nanoseconds on the wire, seconds since the epoch in skep."""

from __future__ import annotations

import datetime

__all__ = ["format_time", "parse_time"]


def parse_time(text: str) -> float:
    """Seconds since the epoch; 0.0 for "" and for Go's zero time (year 1), which engines send for "never".

    Raises ValueError where `text` is neither.
    """
    if not text or text.startswith("0001-01-01"):
        return 0.0
    return datetime.datetime.fromisoformat(text).timestamp()


def format_time(seconds: float) -> str:
    """RFC 3339 in UTC with microseconds; Go's zero time for 0.0."""
    if not seconds:
        return "0001-01-01T00:00:00Z"
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
