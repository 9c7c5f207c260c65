"""`skep node`: takes nodes out of placement, and puts them back."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Iterator
from typing import Any

import click

from skep import AgentClient, Duration, NotFoundError, SkepError, agent_option, printable, show_table, wait_option

__all__ = ["node"]

_name_option = click.option(
    "--name", "plugin", default="maintenance", show_default=True, help="The plugin's name in the settings."
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The names of nodes, for a shell; none where no agent answers at once."""
    try:
        nodes = AgentClient(ctx.params.get("url") or "", timeout=1.0).get("/nodes")
        return [each["name"] for each in nodes if each["name"].startswith(incomplete)]
    except (SkepError, KeyError, TypeError):
        return []


_node_argument = click.argument("node", shell_complete=_complete)


@click.group()
def node() -> None:
    """Nodes taken out of placement, and put back."""


@node.command()
@agent_option
@_json_option
@_name_option
def ls(agent: AgentClient, as_json: bool, plugin: str) -> None:
    """List the nodes, and which of them are drained, by whom, since when and why."""
    found = _asked(agent, plugin, lambda: agent.get(f"/plugins/{plugin}/nodes"))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    show_table(("NODE", "STATUS", "CONTAINERS", "MAINTENANCE"), map(_row, found))


def _row(row: dict[str, Any]) -> tuple[object, ...]:
    held = f"{row['containers']} ({row['running']} up)" if row["known"] else "-"
    return row["node"], row["status"] or "not known", held, row["text"] or "active"


@node.command()
@_node_argument
@agent_option
@_json_option
@_name_option
@click.option("--reason", default="", metavar="TEXT", help="Why; shown wherever the node is refused.")
@click.option("--for", "seconds", type=Duration(), default="0s", help="Activate it by itself after so long.")
@wait_option("until no container runs there any more; stop them yourself")
def drain(agent: AgentClient, node: str, as_json: bool, plugin: str, reason: str, seconds: float, wait: float) -> None:
    """Take NODE out of placement: no new container goes there. Those that are there are not touched.

    It stays so across restarts of the agent, until `skep node activate NODE`. With --wait, exit status 1: some still run.
    """
    if seconds < 0:
        raise click.BadParameter("expected a duration of 0s or more", param_hint="--for")
    asked = {"node": node, "reason": reason, "by": _myself(), "seconds": seconds}
    row = _asked(agent, plugin, lambda: agent.post_json(f"/plugins/{plugin}/drain", asked))
    if not as_json:
        for line in _told(row):
            click.echo(printable(line))
    if wait:
        row = _waited(agent, plugin, node, row, wait, quiet=as_json)
    if as_json:
        click.echo(json.dumps(row, indent=2))
    if wait and row["running"]:
        click.echo(f"the time is over: {row['running']} still run on {printable(node)}", err=True)
        raise SystemExit(1)


def _told(row: dict[str, Any]) -> Iterator[str]:
    yield f"{row['node']} is {row['text']}"
    if not row["known"]:
        yield f"no node {row['node']} is known now; one that joins under this name takes no containers"
    elif row["running"]:
        names = ", ".join(row["names"])
        more = f", and {row['running'] - len(row['names'])} more" if row["running"] > len(row["names"]) else ""
        yield f"it takes no new containers; {row['running']} still run there: {names}{more}"
    else:
        yield "it takes no new containers; none runs there"


def _waited(
    agent: AgentClient, plugin: str, node: str, row: dict[str, Any], wait: float, *, quiet: bool
) -> dict[str, Any]:
    """The node's row when nothing runs there any more, or the time is over; tells each change of the number."""
    last = row

    def empty(rows: list[dict[str, Any]]) -> bool:
        nonlocal last
        found = next((each for each in rows if each["node"] == node), last)
        if found["running"] != last["running"] and not quiet:
            click.echo(f"{found['running']} still run there" if found["running"] else "nothing runs there any more")
        last = found
        return not found["running"]

    agent.get_until(f"/plugins/{plugin}/nodes", empty, wait)
    return last


@node.command()
@_node_argument
@agent_option
@_name_option
def activate(agent: AgentClient, node: str, plugin: str) -> None:
    """Put NODE back: it takes new containers again."""
    row = _asked(agent, plugin, lambda: agent.post_json(f"/plugins/{plugin}/activate", {"node": node}))
    click.echo(printable(f"{node} is active again" if row["was_drained"] else f"{node} was not drained"))


def _asked(agent: AgentClient, plugin: str, ask: Any) -> Any:
    try:
        return ask()
    except NotFoundError as error:
        if "no node" in str(error):
            raise
        raise NotFoundError(
            f"the agent at {agent.address} has no plugin {plugin}; its settings would have a table [plugins.{plugin}], "
            f"and skep manage takes --plugin {plugin}; -A URL asks another agent"
        ) from None


def _myself() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name
        return f"{os.getuid()}@{socket.gethostname()}"
