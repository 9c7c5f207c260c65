"""`skep completion`: what a shell needs to complete skep's commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from skep.cli.main import cli

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes skep's commands in SHELL.

    bash: eval "$(skep completion bash)"; zsh: the same in ~/.zshrc; fish: skep completion fish > ~/.config/fish/completions/skep.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    # Not the class' own check: it runs the shell, which need not be here.
    made = found(cli, {}, "skep", "_SKEP_COMPLETE")
    click.echo(made.source_template % made.source_vars())
