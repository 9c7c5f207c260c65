"""The command `skep`: its subcommands are imported when they are called, so that none waits for another's imports."""

from __future__ import annotations

import importlib
import os
from typing import Any

import click

from skep._version import __version__
from skep.errors import SkepError

__all__ = ["cli"]

_COMMANDS = {
    # name: where it is, what it does
    "run": ("skep.cli.run:run", "Run the agent, as a settings file says."),
    "demo": ("skep.cli.demo:demo", "Run a cluster to play with, on this machine's engine or without Docker."),
    "config": ("skep.cli.config:config", "Check and show settings."),
    "node": ("plugin maintenance", "Take nodes out of placement, and put them back."),
    "nginx": ("plugin nginx", "Run nginx before containers, and say who answers for a host."),
    "nodes": ("skep.cli.show:nodes", "List the cluster's nodes."),
    "ps": ("skep.cli.show:ps", "List the cluster's containers."),
    "explain": ("skep.cli.explain:explain", "Say where a container would go, and why, and create nothing."),
    "decisions": ("skep.cli.decisions:decisions", "List the last decisions: where containers went, and why."),
    "events": ("skep.cli.show:events", "Follow the cluster's events."),
    "health": ("skep.cli.show:health", "Say whether the agent and its nodes are well."),
    "lookup": ("skep.cli.lookup:lookup", "Turn a name into values: a stack's outputs, a cache's endpoints, a secret."),
    "plugins": ("skep.cli.plugins:plugins", "List plugins: installed, enabled, broken and why."),
    "plugin": ("skep.cli.plugin:plugin", "Help with writing plugins."),
    "manage": ("skep.cli.manage:manage", "Serve one Docker API over many engines (alias m)."),
    "create": ("skep.cli.create:create", "Make a cluster's token (alias c)."),
    "join": ("skep.cli.join:join", "Make an engine known to a cluster (alias j)."),
    "list": ("skep.cli.join:list_", "List the engines that discovery knows (alias l)."),
    "discovery-service": ("plugin discovery", "Keep the lists behind token:// discovery."),
    "custom-resource": ("plugin custom_resource", "Deploy CloudFormation's custom resources, and try them."),
    "completion": ("skep.cli.completion:completion", "Print a shell's completion script."),
}
LEVELS = ("debug", "info", "warning", "error")
_ALIASES = {"c": "create", "l": "list", "m": "manage", "j": "join"}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = _ALIASES.get(cmd_name, cmd_name)
        home, _ = _COMMANDS.get(name, (f"plugin {name}", ""))
        if home.startswith("plugin "):
            from skep.cli.entry import plugin_command

            return plugin_command(home.removeprefix("plugin "), name)
        module, _, attribute = home.partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], _COMMANDS, n=1)
            raise click.UsageError(f"{error.message} Did you mean {near[0]}?" if near else error.message, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])
        with formatter.section("Commands of plugins"):
            formatter.write_text(
                "skep NAME … is a command of the installed plugin NAME, where it brings one: nginx, node and so on do. "
                "skep plugins lists the plugins."
            )

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("SKEP_DEBUG"):
                raise
            raise click.ClickException(_told(error)) from None


def _told(error: BaseException) -> str:
    """What an operator reads instead of a traceback."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(_told(each) for each in error.exceptions))
    from skep.cli.output import printable

    text = str(error)
    if not isinstance(error, SkepError):
        text = f"internal error: {type(error).__name__}: {error} (SKEP_DEBUG=1 shows where)"
    return "\n".join(map(printable, text.splitlines()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", "-v", prog_name="skep", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="The same as --log-level debug.")
@click.option("--log-level", "-l", type=click.Choice(LEVELS), help="What commands that run on write to stderr.")
def cli(debug: bool, log_level: str | None) -> None:
    """An agent for Docker hosts: one Docker API over many engines, with placement, nginx and more as plugins."""
