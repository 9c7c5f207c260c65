"""The command `skep`."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    from skep.cli import cli  # here: `python -m skep --version` should not wait for anything else

    cli()


if __name__ == "__main__":
    main()
