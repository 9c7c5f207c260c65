"""Explanations as tables: each node's verdict, what every strategy gives it, and all that is against it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from skep.cli.output import printable, show_table

__all__ = ["show_explanation"]


def show_explanation(answer: dict[str, Any], *, would: bool) -> None:
    """Print an answer of `POST /explain` or `GET /decisions/ID`; `would`: nothing was created."""
    nodes = answer["nodes"]
    strategies = list(dict.fromkeys(each["strategy"] for node in nodes for each in node["scores"]))
    weights = {each["strategy"]: each["weight"] for node in nodes for each in node["scores"]}
    columns = [f"{name.upper()} x{weights[name]:g}" if weights[name] != 1 else name.upper() for name in strategies]
    totals = ("SCORE",) if len(strategies) != 1 or weights[strategies[0]] != 1 else ()
    show_table(("NODE", "VERDICT", *columns, *totals, "WHY"), [_row(node, strategies, bool(totals)) for node in nodes])
    for warning in answer.get("warnings", ()):  # a recorded decision has none
        click.echo(f"WARNING: {printable(warning)}", err=True)
    if answer["chosen"] is None:
        click.echo(printable(answer["message"]) or "no node takes it")
        return
    given_up = ", ".join(answer["given_up"])
    relaxed = f"; given up were the wishes {given_up}" if answer["relaxed"] else ""
    click.echo(f"it {'would go' if would else 'went'} to {printable(answer['chosen'] + relaxed)}")


def _row(node: dict[str, Any], strategies: list[str], with_total: bool) -> list[str]:
    given = {each["strategy"]: _number(each["score"]) for each in node["scores"]}
    total = "" if node["score"] is None else _number(node["score"])
    cells = [given.get(name, "") for name in strategies] + ([total] if with_total else [])
    return [node["node"], node["verdict"], *cells, "; ".join(_against(node))]


def _number(value: float) -> str:
    return f"{value + 0.0:.6g}"  # no -0


def _against(node: dict[str, Any]) -> Iterator[str]:
    refusals = [(each["plugin"], each["reason"]) for each in node["filters"] if each["verdict"] == "refused"]
    if node["refused_by"] and node["refused_by"] not in [plugin for plugin, _ in refusals]:
        refusals.append((node["refused_by"], node["reason"]))
    for plugin, reason in refusals:
        text = " ".join(reason.split()) or "its reason was not kept"
        yield text if text.startswith(plugin) else f"{plugin}: {text}"
