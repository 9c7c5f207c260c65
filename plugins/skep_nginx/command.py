"""`skep nginx`: what the plugin of a running agent is doing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from skep import AgentClient, agent_option, printable

__all__ = ["nginx"]


@click.group()
def nginx() -> None:
    """The sites that nginx serves."""


@nginx.command()
@agent_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--name", default="nginx", show_default=True, help="The plugin's name in the settings.")
def status(agent: AgentClient, as_json: bool, name: str) -> None:
    """Show whether the last change is live, the sites, and the containers that are left out, with the reasons.

    Exits with 1 where the last change is not live.
    """
    found = agent.get(f"/plugins/{name}/status")
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in _lines(found):
            click.echo(printable(line))
    if found["state"] == "failing":
        raise SystemExit(1)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['state']}{': ' + found['error'] if found['error'] else ''}"
    for host, backends in found["sites"].items():
        for backend in backends:
            yield f"{host}  {backend['node']}/{backend['container']}  {backend['address'] or 'no requests now'}"
    for out in found["left_out"]:
        yield f"left out: {out['node']}/{out['container']}: {out['reason']}"
