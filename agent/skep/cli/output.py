"""What commands print: tables, JSON, sizes. Texts of containers and engines are made harmless for a terminal."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence

import click

__all__ = ["ago", "called", "memory", "printable", "show_json", "show_table"]


def printable(text: object) -> str:
    """A text without what a terminal would obey: control characters are shown as escapes."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))


def show_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2))


def show_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns; the last one may be as long as it likes."""
    texts = [list(headers), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(headers))]
    for row in texts:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def memory(count: float) -> str:
    """Bytes for people, in steps of 1024: `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.4g} {unit}"
        count /= 1024
    return f"{count:.4g} TiB"


def ago(then: float, now: float | None = None) -> str:
    """How long ago, in the largest unit that fits: `5 m`; "-" for never. `then` is in seconds since the epoch."""
    if not then:
        return "-"
    seconds = max(0.0, (time.time() if now is None else now) - then)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def called() -> str:
    """How to call this command from a shell here: `skep`, or by its path where the shell would not find it."""
    import shutil
    import sys

    first = sys.argv[0]
    return "skep" if shutil.which("skep") or not first.endswith("/skep") else first
