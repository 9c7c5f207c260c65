"""`skep plugin`: help with writing plugins."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["plugin"]


@click.group()
def plugin() -> None:
    """Help with writing plugins."""


@plugin.command()
@click.argument("name")
@click.option("--dir", "folder", type=click.Path(path_type=Path), help="Where; a folder of that name unless said.")
def new(name: str, folder: Path | None) -> None:
    """Begin a plugin called NAME: packaging, code and tests that pass."""
    from skep.plugins.template import new_plugin

    folder = folder if folder is not None else Path(name)
    for file in new_plugin(name, folder):
        click.echo(f"  {file}")
    click.echo(f"Next: pip install -e {folder} && pytest {folder}")
