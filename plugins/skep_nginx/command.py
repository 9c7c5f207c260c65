"""`skep nginx`: what the plugin of a running agent is doing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from skep import AgentClient, NotFoundError, agent_option, printable, wait_option

__all__ = ["nginx"]


@click.group()
def nginx() -> None:
    """The sites that nginx serves."""


@nginx.command()
@agent_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--name", default="nginx", show_default=True, help="The plugin's name in the settings.")
@wait_option("for the last change to be live")
def status(agent: AgentClient, as_json: bool, name: str, wait: float) -> None:
    """Show whether the last change is live, the sites, and the containers that are left out, with the reasons.

    Exits with 1 where the last change failed, or is not live when --wait is over.
    """
    try:
        found = agent.get_until(f"/plugins/{name}/status", _is_live, wait)
    except NotFoundError:
        raise NotFoundError(
            f"the agent has no plugin {name}; its settings would have a table [plugins.{name}]"
        ) from None
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in _lines(found):
            click.echo(printable(line))
    if found["state"] == "failing" or (wait and not _is_live(found)):
        raise SystemExit(1)


def _is_live(found: dict[str, Any]) -> bool:
    return bool(found["state"] == "live")


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['state']}{': ' + found['error'] if found['error'] else ''}"
    for host, backends in found["sites"].items():
        for backend in backends:
            yield f"{host}  {backend['node']}/{backend['container']}  {backend['address'] or 'no requests now'}"
    for out in found["left_out"]:
        yield f"left out: {out['node']}/{out['container']}: {out['reason']}"
    for note in found["notes"]:
        yield f"not followed: {note['node']}/{note['container']}: {note['reason']}"
