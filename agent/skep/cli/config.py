"""`skep config`: settings, checked and shown."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from skep.cli.options import json_option
from skep.cli.output import printable, show_json
from skep.cli.run import settings_options

__all__ = ["config"]

_SECRET = re.compile(r"passw|secret|token|credential|private", re.IGNORECASE)


@click.group()
def config() -> None:
    """Check and show settings."""


@config.command("check")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option("--set", "flags", multiple=True, metavar="KEY=VALUE", help="As in skep run; repeatable.")
@json_option
def check_(path: Path, flags: tuple[str, ...], as_json: bool) -> None:
    """Say everything that is wrong with a settings file. Exit status 1: something is."""
    from skep.cli.checks import check_file

    checked = check_file(path, flags)
    if as_json:
        show_json({"file": str(path), "errors": checked.errors})
    else:
        for error in checked.errors:
            click.echo(printable(error), err=True)
        if not checked.errors:
            click.echo(f"{path} is right")
    if checked.errors:
        sys.exit(1)


@config.command()
@settings_options
@json_option
def show(path: Path | None, flags: tuple[str, ...], as_json: bool) -> None:
    """Show the settings that count, each with where it comes from."""
    import msgspec

    from skep.settings import load_settings

    settings = load_settings(path, flags=flags)
    values = msgspec.to_builtins(settings)
    del values["source"], values["origins"]
    for table in values["plugins"].values():
        table |= table.pop("own")
    rows = [_row(key, value, settings.origins) for key, value in _flat(values)]
    if as_json:
        show_json(rows)
        return
    for row in rows:
        shown = "" if row["value"] is None else json.dumps(row["value"], ensure_ascii=False)
        click.echo(printable(f"{row['key']} = {shown}".ljust(50) + f"  # {row['source']}"))


def _row(key: str, value: Any, origins: Mapping[str, str]) -> dict[str, Any]:
    hidden = bool(value) and _SECRET.search(key.rpartition(".")[2]) is not None
    return {"key": key, "value": "…" if hidden else value, "source": origins.get(key, "default")}


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and (value or not prefix):
        for key, each in value.items():
            yield from _flat(each, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


@config.command()
@click.argument("plugins", nargs=-1, metavar="[PLUGIN…]")
def reference(plugins: tuple[str, ...]) -> None:
    """Print all settings with their documentation: the agent's, and those of PLUGINs (of all that come with skep)."""
    from skep.cli.entry import installed
    from skep.cli.reference import reference as made

    for name in plugins:
        if name not in installed():
            raise click.UsageError(f"plugin {name!r} is not installed; installed are {', '.join(installed())}")
    click.echo(made(plugins or None), nl=False)
