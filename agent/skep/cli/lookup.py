"""`skep lookup`: turn a name into values, by the lookups of plugins. No agent need run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import click

from skep.cli.lookups import complete_lookup, complete_property, lookup_settings, lookups_of
from skep.cli.options import json_option, wait_option
from skep.cli.output import printable, show_json, show_table
from skep.cli.run import settings_options
from skep.errors import NotFoundError, TemporaryError
from skep.hooks import Lookup, Values
from skep.settings import Settings

__all__ = ["lookup"]

_PAUSE = 2.0  # seconds between two questions of --wait
_MASK = "********"


@click.command()
@settings_options
@json_option
@click.option("--env", "as_env", is_flag=True, help="Print a file for docker run --env-file.")
@click.option("--policy", is_flag=True, help="Print the least IAM policy that NAME needs, and ask nothing.")
@click.option(
    "--partition",
    type=click.Choice(["aws", "aws-cn", "aws-us-gov", "aws-eusc", "aws-iso", "aws-iso-b"]),
    default="aws",
    show_default=True,
    help="With --policy: the part of AWS that it is for.",
)
@click.option(
    "--show-secrets", is_flag=True, help="Show secret values in the table; --json and --env always have them."
)
@wait_option("for what is not ready yet, or away")
@click.argument("name", required=False, shell_complete=complete_lookup)
@click.argument("properties", nargs=-1, metavar="[PROPERTY=VALUE]…", shell_complete=complete_property)
def lookup(
    path: Path | None,
    flags: tuple[str, ...],
    as_json: bool,
    as_env: bool,
    policy: bool,
    partition: str,
    show_secrets: bool,
    wait: float,
    name: str | None,
    properties: tuple[str, ...],
) -> None:
    """Turn a name into values: skep lookup stack StackName=prod.

    Without NAME, list all lookups; without properties, say which NAME takes and what it answers. Lists are written with commas.

    The plugins of the settings file are asked, or, without one, all that are installed.
    """
    if as_json and as_env:
        raise click.UsageError("--json and --env exclude each other")
    settings = lookup_settings(path, flags)
    known = lookups_of(settings)
    if name is None:
        return _list(known, as_json=as_json)
    if name not in known:
        raise NotFoundError(f"there is no lookup {name!r}; known are {', '.join(sorted(known)) or 'none'}")
    asked = _properties(properties, name)
    if policy:
        return show_json(known[name].policy(asked.get("RoleArn", ""), partition))
    if not asked:
        return _describe(name, known[name])
    values = asyncio.run(_ask(settings, name, asked, wait))
    if as_json:
        return show_json(dict(sorted(values.items())))
    if as_env:
        from skep.environment import env_file, variables

        click.echo(env_file(variables(values)), nl=False)
        return None
    return show_table(("ATTRIBUTE", "VALUE"), [(key, _shown(values, key, show_secrets)) for key in sorted(values)])


def _properties(texts: tuple[str, ...], lookup: str) -> dict[str, str]:
    """PROPERTY=VALUE texts for `lookup`. Raises UsageError."""
    found: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise click.UsageError(f"{text!r}: expected PROPERTY=VALUE; skep lookup {lookup} lists its properties")
        if key in found:
            raise click.UsageError(f"{key} is given twice; write a list with commas")
        found[key] = value
    return found


async def _ask(settings: Settings, name: str, asked: Mapping[str, str], wait: float) -> Values:
    from skep.agent import Agent

    deadline = time.monotonic() + wait
    async with Agent(settings) as agent:
        while True:
            try:
                return await agent.lookup(name, asked)
            except TemporaryError:
                if time.monotonic() + _PAUSE > deadline:
                    raise
            await asyncio.sleep(_PAUSE)


def _shown(values: Values, key: str, show_secrets: bool) -> str:
    if key in values.secret and not show_secrets:
        return _MASK
    value = values[key]
    return value if isinstance(value, str) else ", ".join(value)


def _list(known: Mapping[str, Lookup], *, as_json: bool) -> None:
    if as_json:
        return show_json({name: _data(each) for name, each in sorted(known.items())})
    rows = [
        (name, ", ".join(each.required) or next(iter(each.properties), ""), each.help) for name, each in known.items()
    ]
    return show_table(("LOOKUP", "BY", "WHAT"), sorted(rows))


def _data(each: Lookup) -> dict[str, object]:
    return {
        "help": each.help,
        "properties": dict(each.properties),
        "required": list(each.required),
        "attributes": dict(each.attributes),
        "actions": dict(each.actions),
    }


def _describe(name: str, found: Lookup) -> None:
    click.echo(f"{name}: {printable(found.help)}\n")
    rows = [(f"{key} (required)" if key in found.required else key, text) for key, text in found.properties.items()]
    show_table(("PROPERTY", ""), rows)
    click.echo()
    show_table(("ATTRIBUTE", ""), found.attributes.items())
