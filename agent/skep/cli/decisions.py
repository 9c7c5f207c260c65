"""`skep decisions`: where containers went, and why; and the same decision once more."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from urllib.parse import quote

import click
from click.shell_completion import CompletionItem

from skep.cli.client import AgentClient
from skep.cli.explained import show_explanation
from skep.cli.options import agent_option, json_option
from skep.cli.output import ago, printable, show_json, show_table
from skep.errors import SkepError

__all__ = ["decisions"]

_COMPLETION_SECONDS = 1.0


def _known(path: str, key: str) -> list[CompletionItem]:
    """What an agent knows, for a shell; nothing where none answers."""
    try:
        rows = AgentClient(timeout=_COMPLETION_SECONDS).get(path)
    except SkepError:
        return []
    return [CompletionItem(row[key], help=row.get("name", "")) for row in rows]


def _complete_id(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [each for each in _known("/decisions", "id") if each.value.startswith(incomplete)]


def _complete_node(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [each for each in _known("/nodes", "name") if each.value.startswith(incomplete)]


@click.group(invoke_without_command=True)
@agent_option
@json_option
@click.option("--name", default="", help="Those about containers of this name.")
@click.option("--node", default="", help="Those that chose this node.", shell_complete=_complete_node)
@click.option("--failed", is_flag=True, help="Those that no container came of.")
@click.pass_context
def decisions(ctx: click.Context, agent: AgentClient, as_json: bool, name: str, node: str, failed: bool) -> None:
    """List the last decisions: where containers went, or why nowhere; show one, export it, replay it."""
    ctx.obj = agent
    if ctx.invoked_subcommand is not None:
        return
    query = {"name": name, "node": node, "failed": "true" if failed else ""}
    chosen = "&".join(f"{key}={quote(value)}" for key, value in query.items() if value)
    found = agent.get(f"/decisions?{chosen}" if chosen else "/decisions")
    if as_json:
        show_json(found)
        return
    headers = ("ID", "SINCE", "NAME", "IMAGE", "NODE", "OUTCOME", "ENTRIES")
    rows = [
        (
            each["id"],
            ago(each["at"]),
            each["name"],
            each["image"],
            each["chosen"] or "-",
            each["outcome"] + (", relaxed" if each["relaxed"] else ""),
            " ".join(each["entries"]),
        )
        for each in found
    ]
    show_table(headers, rows)


_ID = click.argument("id_", metavar="ID", shell_complete=_complete_id)


@decisions.command()
@json_option
@_ID
@click.pass_obj
def show(agent: AgentClient, as_json: bool, id_: str) -> None:
    """Show one decision, node by node. The beginning of its ID is enough, or the container's name for the latest about it."""
    found = agent.get(f"/decisions/{_checked(id_)}")
    if as_json:
        show_json(found)
        return
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found["at"]))
    asked = f", asked for by {found['client']}" if found["client"] else ""
    click.echo(printable(f"{found['id']}: {found['name'] or 'a container'} of {found['image']} at {when}{asked}"))
    if found["entries"]:
        click.echo(printable(" ".join(found["entries"])))
    show_explanation(found, would=False)
    took = f"decided in {found['seconds'] * 1000:.3g} ms"
    made = f"container {found['container'][:12]} created in {found['waited']:.3g} s"
    outcomes = {"created": made, "placing": "the engine is at it", "refused": "refused"}
    text = outcomes.get(found["outcome"], f"failed: {found['error']}")
    click.echo(printable(f"{took}; {text}"))


@decisions.command()
@_ID
@click.pass_obj
def export(agent: AgentClient, id_: str) -> None:
    """Print one decision with all that it depends on, as JSON for skep decisions replay.

    Environments and commands are not in it; names, addresses and labels are.
    """
    click.echo(agent.read(f"/decisions/{_checked(id_)}/snapshot"))


@decisions.command()
@json_option
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
def replay(as_json: bool, file: Path) -> None:
    """Make an exported decision once more, here and without an agent. Exit status 1: the answer is another one."""
    from skep.agent.replay import replay as once_more

    data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    again = once_more(data)
    differences = again.differences
    if as_json:
        show_json({"chosen": again.again.chosen, "differences": differences, "recorded_answers_of": dict(again.taken)})
    else:
        for plugin, why in again.taken.items():
            click.echo(printable(f"the recorded answers of {plugin} are taken: {why}"))
        for line in differences:
            click.echo(printable(line))
        same = "another answer" if differences else "the same answer"
        click.echo(printable(f"{same}: {again.again.chosen or 'no node takes it'}"))
    if differences:
        sys.exit(1)


def _checked(id_: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", id_):
        raise click.UsageError(f"{id_!r} is no id of a decision and no container's name; skep decisions lists them")
    return id_
