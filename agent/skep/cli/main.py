"""The command `skep` and its subcommands."""

from __future__ import annotations

import click

from skep._version import __version__

__all__ = ["cli"]


@click.group()
@click.version_option(__version__, prog_name="skep")
def cli() -> None:
    """An agent for Docker hosts: one Docker API over many engines, with placement, nginx and more as plugins."""
