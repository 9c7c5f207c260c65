"""The command line. Importing it is quick: each command is imported when it is called."""

from skep.cli.main import cli

__all__ = ["cli"]
