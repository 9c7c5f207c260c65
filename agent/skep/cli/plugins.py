"""`skep plugins`: what is installed, what runs, what is broken and why."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import click

from skep.cli.client import AgentClient
from skep.cli.entry import installed
from skep.cli.options import agent_option, json_option
from skep.cli.output import show_json, show_table
from skep.errors import TemporaryError

__all__ = ["plugins"]


@click.command()
@agent_option
@json_option
@click.option(
    "--config", "-c", "path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Ask no agent; try the plugins that this settings file enables.",
)  # fmt: skip
def plugins(agent: AgentClient, as_json: bool, path: Path | None) -> None:
    """List plugins: installed, enabled, broken and why, with their counters.

    Without an agent, only what is installed is told, and nothing of it is imported.
    """
    rows = _asked(agent) if path is None else _tried(path)
    if as_json:
        return show_json(rows)
    show_table(("PLUGIN", "FROM", "STATUS", "CALLS", "ERRORS", "SECONDS", "DROPPED", "WHY"), map(_row, rows))
    return None


def _asked(agent: AgentClient) -> list[dict[str, Any]]:
    try:
        return agent.get("/plugins")  # type: ignore[no-any-return]
    except TemporaryError as error:
        if agent.named:
            raise
        click.echo(f"{error}; this is what is installed", err=True)
        return [
            {"name": name, "status": "installed", "error": "", "from": _origin(entry)}
            for name, entry in installed().items()
        ]


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist is not None else entry.value


def _tried(path: Path) -> list[dict[str, Any]]:
    from skep.plugins import PluginManager
    from skep.settings import load_settings

    return PluginManager(load_settings(path), strict=False).report()


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    seconds = row.get("seconds")
    return (
        row["name"],
        row["from"],
        row["status"],
        row.get("calls", ""),
        row.get("errors", ""),
        "" if seconds is None else f"{seconds:.3f}",
        row.get("dropped", ""),
        "; ".join(filter(None, [row["error"], *row.get("warnings", ())])),
    )
