"""What a running agent knows: nodes, containers, events, health."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import click

from skep.cli.client import AgentClient
from skep.cli.options import agent_option, json_option, wait_option
from skep.cli.output import ago, memory, printable, show_json, show_table

__all__ = ["events", "health", "nodes", "ps"]

_DERIVED = ("kernelversion", "operatingsystem", "ostype", "storagedriver")  # of every node; --json tells them


@click.command()
@agent_option
@json_option
def nodes(agent: AgentClient, as_json: bool) -> None:
    """List the cluster's nodes: whether they are well, what they hold, what is reserved on them."""
    found = agent.get("/nodes")
    if as_json:
        return show_json(found)
    show_table(("NODE", "STATUS", "CONTAINERS", "CPUS", "MEMORY", "ENGINE", "LABELS"), map(_node_row, found))
    return None


def _node_row(node: dict[str, Any]) -> tuple[object, ...]:
    count = node["containers"]
    labels = ", ".join(f"{key}={value}" for key, value in sorted(node["labels"].items()) if key not in _DERIVED)
    return (
        node["name"],
        node["status"],
        f"{count['total']} ({count['running']} up)",
        f"{node['reserved_cpus']:g} / {node['cpus']:g}",
        f"{memory(node['reserved_memory'])} / {memory(node['memory'])}",
        node["server_version"],
        node["error"] or labels,
    )


@click.command()
@agent_option
@json_option
@click.option("--all", "-a", "every", is_flag=True, help="Those that do not run too.")
def ps(agent: AgentClient, as_json: bool, every: bool) -> None:
    """List the cluster's containers."""
    found = agent.get("/containers", all="true" if every else "false")
    if as_json:
        return show_json(found)
    show_table(("ID", "NODE", "NAME", "IMAGE", "STATE", "SINCE", "PORTS"), map(_container_row, found))
    return None


def _container_row(container: dict[str, Any]) -> tuple[object, ...]:
    state = container["state"]
    since = container["created"]
    if state in ("running", "paused"):
        since = container["started"]
    elif state in ("exited", "dead"):
        since, state = container["finished"], f"{state} ({container['exit_code']})"
    if container["health"] != "none":
        state = f"{state} ({container['health']})"
    ports = ", ".join(map(_port, container["ports"]))
    return container["id"][:12], container["node"], container["name"], container["image"], state, ago(since), ports


def _port(port: dict[str, Any]) -> str:
    private = f"{port['private']}/{port['protocol']}"
    return f"{port['ip'] or '*'}:{port['public']}->{private}" if port["public"] else private


@click.command()
@agent_option
@json_option
def events(agent: AgentClient, as_json: bool) -> None:
    """Follow the cluster's events until interrupted."""
    try:
        for event in agent.lines("/events"):
            click.echo(json.dumps(event) if as_json else _event_line(event))
    except KeyboardInterrupt:
        sys.exit(130)
    click.echo("the agent has stopped", err=True)
    sys.exit(1)


def _event_line(event: dict[str, Any]) -> str:
    if "at" not in event:
        return f"too slow: {event['count']} events were dropped"
    when = time.strftime("%H:%M:%S", time.localtime(event["at"]))
    subject = f"{event['node']}/{event['container']}" if "container" in event else event["node"]
    details = [str(event[key]) for key in ("image", "error") if event.get(key)]
    if event["event"] == "container_died":
        details.append(f"exit code {event['exit_code']}")
    if event["event"] == "container_health_changed":
        details.append(event["health"])
    return printable(f"{when}  {event['event']:<24}  {subject}  {', '.join(details)}".rstrip())


@click.command()
@agent_option
@json_option
@click.option("--nodes", "least", type=click.IntRange(0), default=0, help="How many nodes there should be at least.")
@wait_option("for all to be well")
def health(agent: AgentClient, as_json: bool, least: int, wait: float) -> None:
    """Say whether the agent and its nodes are well. Exit status 1: they are not."""

    def well(answer: dict[str, Any]) -> bool:
        return bool(answer["healthy"]) and answer["nodes"]["healthy"] >= least

    answer = agent.get_until("/health", well, wait, accept=(503,))
    if as_json:
        show_json(answer)
    else:
        count = answer["nodes"]
        click.echo(
            f"{'healthy' if well(answer) else 'NOT healthy'}: {count['healthy']} of {max(count['total'], least)} nodes"
        )
        for name in count["unhealthy"]:
            click.echo(f"node {printable(name)} is not healthy; skep nodes says why")
        for name, why in answer["broken_plugins"].items():
            click.echo(f"plugin {printable(name)} is broken: {printable(why)}")
    if not well(answer):
        sys.exit(1)
