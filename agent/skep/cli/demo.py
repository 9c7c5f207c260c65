"""`skep demo`: a cluster to play with, on this machine's Docker Engine, or without Docker."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import click

from skep.cli.output import called, printable
from skep.cli.service import run_service

if TYPE_CHECKING:
    from skep.agent import Agent
    from skep.settings import Settings

__all__ = ["demo"]

NODES = {
    "frontend": {"public": "yes"},
    "backend1": {"public": "no", "model": "high-memory"},
    "backend2": {"public": "no", "model": "large-disk"},
    "swarm-master": {"public": "no"},
}
"""The embedded nodes and their labels."""


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=2375, show_default=True, help="0 takes a free one.")
@click.option("--embedded", is_flag=True, help="Four embedded nodes, although a Docker Engine is here.")
@click.option("--control", default="", metavar="URL", help="Where skep nodes, ps and so on are answered.")
def demo(port: int, embedded: bool, control: str) -> None:
    """Run a cluster to play with: on this machine's Docker Engine, or four embedded nodes where there is none.

    The embedded nodes keep states, not processes: everything answers as Docker does, and nothing runs.
    """
    address = os.environ.get("DOCKER_HOST", "") or "unix:///var/run/docker.sock"
    engine = address if not embedded and _answers(address) else ""
    if not embedded and not engine:
        click.echo(f"no Docker Engine answers at {printable(address)}: embedded nodes take its place")
    run_service(
        lambda: _opened(port, engine, control), started=_announce, wait=lambda agent: agent.wait(), log_level="warning"
    )


def _answers(address: str) -> bool:
    """Whether an engine answers there, in plain HTTP."""
    from skep.cli.client import AgentClient
    from skep.errors import SkepError

    try:
        AgentClient(address, timeout=3).get("/version")
    except SkepError:
        return False
    return True


def _settings(port: int, engines: list[str], control: str) -> Settings:
    from skep.cli.checks import check_tables
    from skep.cli.manage import manager_tables
    from skep.cli.run import free_control

    tables = manager_tables("", listen=(f"tcp://127.0.0.1:{port}",), control=control or free_control())
    tables["cluster"] = {"engines": engines}
    return check_tables(tables, "skep demo").right()


@asynccontextmanager
async def _opened(port: int, engine: str, control: str) -> AsyncIterator[Agent]:
    from skep.agent import Agent

    async with AsyncExitStack() as stack:
        engines = [engine]
        if not engine:
            from skep.testing import EmbeddedEngine

            engines = []
            for name, labels in NODES.items():
                made = EmbeddedEngine(name, labels={**labels, "provider": "embedded"})
                await stack.enter_async_context(made)
                engines.append(made.url)
        yield await stack.enter_async_context(Agent(_settings(port, engines, control)))


def _announce(agent: Agent) -> None:
    from skep.cli.run import agent_flag, endpoints

    names = ", ".join(state.name for state in agent.cluster.state.nodes)
    url = endpoints(agent)[0]
    embedded = any(state.node.labels.get("provider") == "embedded" for state in agent.cluster.state.nodes)
    what = "an embedded cluster, containers are only states" if embedded else "this machine's Docker Engine"
    constraint = "public==yes" if embedded else "ostype==linux"
    click.echo(f"{what}: {printable(names)}")
    click.echo(f"Docker API at {url}; Ctrl-C stops it. Try, in another terminal:")
    click.echo(f"  docker -H {url} info")
    click.echo(f"  docker -H {url} run -d --name web -e constraint:{constraint} {'nginx' if embedded else 'IMAGE'}")
    click.echo(f"  {called()} nodes{agent_flag(agent)}")
