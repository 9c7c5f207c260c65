"""`skep explain`: where a container would go, and why."""

from __future__ import annotations

import sys

import click

from skep.cli.client import AgentClient
from skep.cli.docker_run import parse_docker_run
from skep.cli.options import agent_option, json_option
from skep.cli.output import printable, show_json, show_table
from skep.errors import RequestError

__all__ = ["explain"]


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@agent_option
@json_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- [FLAGS OF DOCKER RUN] IMAGE [COMMAND…]")
def explain(agent: AgentClient, as_json: bool, arguments: tuple[str, ...]) -> None:
    """Say where a container would go, node by node, and create nothing.

    skep explain -- -e constraint:public==yes -p 80:80 nginx

    Exit status 1: no node takes it.
    """
    try:
        run = parse_docker_run(arguments)
    except RequestError as error:
        raise click.UsageError(str(error)) from None
    query = {"name": run.name} if run.name else {}
    answer = agent.post_json("/explain", run.body, **query)
    if as_json:
        show_json(answer)
    else:
        _show(answer)
    if answer["chosen"] is None:
        sys.exit(1)


def _show(answer: dict[str, object]) -> None:
    rows = []
    for node in answer["nodes"]:  # type: ignore[attr-defined]
        if node["refused_by"]:
            fate, why = "refused", f"{node['refused_by']}: {node['reason']}"
        else:
            fate, why = "chosen" if node["chosen"] else "fits", ""
        score = "" if node["score"] is None else f"{node['score']:g}"
        rows.append((node["node"], fate, score, why))
    show_table(("NODE", "VERDICT", "SCORE", "WHY"), rows)
    if answer["chosen"] is None:
        click.echo(printable(answer["message"]) or "no node takes it")
        return
    relaxed = "; its wishes (~) could not all be kept" if answer["relaxed"] else ""
    click.echo(f"it would go to {printable(answer['chosen'])}{relaxed}")
