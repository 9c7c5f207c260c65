"""`skep run`: the agent proper."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from skep.cli.output import called
from skep.cli.service import run_service

if TYPE_CHECKING:
    from skep.agent import Agent
    from skep.settings import Settings

__all__ = ["announce", "free_control", "run", "run_agent", "settings_options"]


_TO_TRY = ("info", "run -d IMAGE")


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--config/-c FILE` and `--set key=value`."""
    command = click.option(
        "--set", "flags", multiple=True, metavar="KEY=VALUE", help="Put a setting over the file's; repeatable."
    )(command)
    return click.option(
        "--config", "-c", "path", envvar="SKEP_CONFIG", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
        help="The settings file (SKEP_CONFIG).",
    )(command)  # fmt: skip


@click.command()
@settings_options
def run(path: Path | None, flags: tuple[str, ...]) -> None:
    """Run the agent until stopped. Everything is checked before anything starts."""
    from skep.cli.checks import check_file

    if path is None:
        raise click.UsageError("no settings file is named; expected skep run -c FILE (skep config reference shows all)")
    run_agent(check_file(path, flags).right())


def run_agent(settings: Settings) -> None:
    """Run an agent until stopped."""
    from skep.agent import Agent

    agent = Agent(settings)
    run_service(
        lambda: agent,
        started=announce,
        wait=lambda agent: agent.wait(),
        log_level=settings.log.level,
        log_format=settings.log.format,
    )


def free_control() -> str:
    """Where an agent that was not told so answers `skep nodes` and so on: a default place, or any port where those are taken."""
    import socket

    from skep.cli.client import DEFAULT_AGENTS

    unix, tcp = DEFAULT_AGENTS
    path = unix.removeprefix("unix://")
    if os.access(Path(path).parent, os.W_OK):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1)
            if probe.connect_ex(path) != 0:
                return unix
    host, _, port = tcp.removeprefix("tcp://").rpartition(":")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError:
            return f"tcp://{host}:0"
    return tcp


def endpoints(agent: Agent) -> list[str]:
    """Where the plugin docker_api listens; empty without it."""
    return list(getattr(agent.plugins.plugins.get("docker_api"), "urls", ()))


def announce(agent: Agent) -> None:
    """Print where the agent listens, and commands to try."""
    nodes = agent.cluster.state.nodes
    well = sum(state.node.is_healthy for state in nodes)
    click.echo(
        f"skep is up: {well} of {len(nodes)} nodes healthy, plugins {', '.join(agent.plugins.plugins) or 'none'}"
    )
    for url in endpoints(agent):
        click.echo(f"  Docker API  {url}")
    for url in agent.urls:
        click.echo(f"  agent       {url}")
    commands = [f"docker -H {url} {words}" for url in endpoints(agent)[:1] for words in _TO_TRY]
    commands += [f"{called()} nodes{agent_flag(agent)}"] if agent.urls else []
    for number, command in enumerate(commands):
        click.echo(f"{'      ' if number else 'try:  '}{command}")


def agent_flag(agent: Agent) -> str:
    """The flag with which commands find this agent; "" where they find it by themselves."""
    from skep.cli.client import DEFAULT_AGENTS

    url = next(iter(agent.urls), "")
    return "" if url in DEFAULT_AGENTS or not url else f" -A {url}"
