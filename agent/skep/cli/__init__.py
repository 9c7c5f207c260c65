"""The command line."""

from skep.cli.main import cli

__all__ = ["cli"]
