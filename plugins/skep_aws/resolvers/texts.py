"""AWS' values as texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["commas", "endpoint", "scalars", "tags", "text"]


def text(value: object) -> str:
    """A scalar as text: `true`, `5`, `2015-07-02T10:00:00Z`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return str(value)


def scalars(item: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """All members of an answer that are no structure, as texts."""
    return {key: text(value) for key, value in item.items() if isinstance(value, bool | int | float | str | datetime)}


def tags(item: Mapping[str, Any]) -> dict[str, str]:
    """The tags of an item, in order."""
    return {each["Key"]: each.get("Value", "") for each in sorted(item.get("Tags") or (), key=lambda each: each["Key"])}


def endpoint(item: Mapping[str, Any] | None) -> str:
    """An endpoint as `host:port`; "" where there is none yet."""
    return f"{item['Address']}:{item['Port']}" if item and item.get("Address") and item.get("Port") else ""


def commas(items: Iterable[str]) -> str:
    """A list as one text."""
    return ",".join(items)
