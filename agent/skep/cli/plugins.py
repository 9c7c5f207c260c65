"""`skep plugins`: what is installed, what runs, what is broken and why."""

from __future__ import annotations

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
    rows = [{"name": name, "status": "installed", "error": "", "source": e.value} for name, e in installed().items()]
    found = _asked(agent) if path is None else _tried(path)
    rows = [*found, *(row for row in rows if row["name"] not in {each["name"] for each in found})]
    if as_json:
        return show_json(rows)
    show_table(("PLUGIN", "STATUS", "CALLS", "ERRORS", "SECONDS", "DROPPED", "WHY"), map(_row, rows))
    return None


def _asked(agent: AgentClient) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = agent.get("/plugins")
    except TemporaryError as error:
        if agent.named:
            raise
        click.echo(f"{error}; this is what is installed", err=True)
        return []
    return found


def _tried(path: Path) -> list[dict[str, Any]]:
    from skep.cli.checks import check_tables
    from skep.settings import load_settings

    rows = []
    for name, table in load_settings(path).plugins.items():
        keys = {"path": table.path, **table.own}
        errors = check_tables({"plugins": {name: keys}}, str(path)).errors if table.enabled else []
        status = "disabled" if not table.enabled else "broken" if errors else "enabled"
        rows.append({"name": name, "status": status, "error": "; ".join(errors)})
    return rows


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    seconds = row.get("seconds")
    return (
        row["name"],
        row["status"],
        row.get("calls", ""),
        row.get("errors", ""),
        "" if seconds is None else f"{seconds:.3f}",
        row.get("dropped", ""),
        row["error"],
    )
