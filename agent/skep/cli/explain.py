"""`skep explain`: where a container would go, and why."""

from __future__ import annotations

import sys

import click

from skep.cli.client import AgentClient
from skep.cli.docker_run import parse_docker_run
from skep.cli.explained import show_explanation
from skep.cli.options import agent_option, json_option
from skep.cli.output import show_json
from skep.errors import RequestError

__all__ = ["explain"]


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@agent_option
@json_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="-- [FLAGS OF DOCKER RUN] IMAGE [COMMAND…]")
def explain(agent: AgentClient, as_json: bool, arguments: tuple[str, ...]) -> None:
    """Say where a container would go, node by node, and create nothing: a dry run of docker run.

    skep explain -- -e constraint:public==yes -p 80:80 nginx

    Every filter is asked about every node; scores are those of the strategies that placed it.

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
        show_explanation(answer, would=True)
    if answer["chosen"] is None:
        sys.exit(1)
