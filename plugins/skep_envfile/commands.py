"""`skep envfile`: what the files would hold, what would change, and how it stands with those of a running agent."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import click
from click.shell_completion import CompletionItem

from skep import (
    AgentClient,
    NotFoundError,
    SettingsError,
    SkepError,
    agent_option,
    ago,
    load_settings,
    lookup_settings,
    parse_plugin_settings,
    printable,
    settings_options,
    show_table,
)
from skep_envfile.settings import EnvFileSettings, FileSettings

if TYPE_CHECKING:
    from skep_envfile.values import Gathered

__all__ = ["envfile"]

F = TypeVar("F", bound=Callable[..., Any])
_MASK = "********"


def _name_option(command: F) -> F:
    return click.option(
        "--name", "plugin", default="envfile", show_default=True, help="The plugin's name in the settings."
    )(command)


def _json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _files(path: Path | None, flags: tuple[str, ...], plugin: str) -> Mapping[str, FileSettings]:
    """The files of the settings. Raises SettingsError."""
    if path is None:
        raise click.UsageError("no settings file is named; expected -c FILE (or SKEP_CONFIG)")
    settings = load_settings(path, flags=flags)
    if plugin not in settings.plugins:
        raise SettingsError(f"{path}: there is no table [plugins.{plugin}]")
    table = settings.plugins[plugin]
    own = parse_plugin_settings(EnvFileSettings, table, plugin, settings.source, settings.origins)
    assert isinstance(own, EnvFileSettings)
    return own.files


def _chosen(files: Mapping[str, FileSettings], names: tuple[str, ...]) -> dict[str, FileSettings]:
    for name in names:
        if name not in files:
            raise NotFoundError(f"there is no file {name}; there are {', '.join(sorted(files)) or 'none'}")
    return {name: files[name] for name in names or files}


def _complete(context: click.Context, parameter: click.Parameter, start: str) -> list[CompletionItem]:
    """The names of files, for a shell, which wants no errors."""
    try:
        files = _files(context.params.get("path"), (), context.params.get("plugin") or "envfile")
    except (SkepError, click.UsageError):
        return []
    return [CompletionItem(name, help=file.path) for name, file in sorted(files.items()) if name.startswith(start)]


def _gathered(
    path: Path | None, flags: tuple[str, ...], files: Mapping[str, FileSettings]
) -> dict[str, Gathered | SkepError]:
    """What the lookups say now, by file; or why a file cannot be had. No agent need run."""
    from skep import Agent
    from skep_envfile.rounds import Round

    settings = lookup_settings(path, flags)

    async def ask_all() -> dict[str, Gathered | SkepError]:
        async with Agent(settings) as agent, Round(agent.lookup, asyncio.Semaphore(8)) as questions:
            tasks = [questions.gather(file) for file in files.values()]
            answers = await asyncio.gather(*tasks, return_exceptions=True)
        found: dict[str, Gathered | SkepError] = {}
        for name, answer in zip(files, answers, strict=True):
            if isinstance(answer, BaseException) and not isinstance(answer, SkepError):
                raise answer
            found[name] = answer
        return found

    return asyncio.run(ask_all())


@click.group()
def envfile() -> None:
    """Env files of looked-up values."""


@envfile.command()
@settings_options
@_name_option
@click.option("--show-secrets", is_flag=True, help="Print secret values instead of asterisks.")
@click.argument("file", metavar="NAME", shell_complete=_complete)
def render(path: Path | None, flags: tuple[str, ...], plugin: str, show_secrets: bool, file: str) -> None:
    """Print what the file NAME would hold now, by asking the lookups; write nothing. No agent need run."""
    from skep_envfile.formats import write
    from skep_envfile.keeper import content

    files = _chosen(_files(path, flags, plugin), (file,))
    found = _gathered(path, flags, files)[file]
    if isinstance(found, SkepError):
        raise found
    fitted, data = content(file, files[file], found)
    if not show_secrets and fitted.secret:
        masked = {name: _MASK if name in fitted.secret else value for name, value in fitted.values.items()}
        data = write(masked, files[file].format)
    for warning in fitted.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    click.echo(data, nl=False)


@envfile.command()
@settings_options
@_name_option
@_json_option
@click.option("--values", "show", is_flag=True, help="Show the values too, but for secret ones.")
@click.option("--show-secrets", is_flag=True, help="With --values: show secret ones too.")
@click.argument("names", metavar="[NAME…]", nargs=-1, shell_complete=_complete)
def diff(
    path: Path | None,
    flags: tuple[str, ...],
    plugin: str,
    as_json: bool,
    show: bool,
    show_secrets: bool,
    names: tuple[str, ...],
) -> None:
    """Show what would change in the files NAME, or in all, if they were written now. No agent need run.

    Exits with 1 where something differs, with 2 where a file cannot be had.
    """
    from skep_envfile.diffing import compare

    files = _chosen(_files(path, flags, plugin), names)
    rows = [
        compare(name, files[name], found, show_values=show, show_secrets=show_secrets)
        for name, found in _gathered(path, flags, files).items()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            _show_difference(row)
    if any(row["error"] for row in rows):
        raise SystemExit(2)
    if any(row["differs"] for row in rows):
        raise SystemExit(1)


def _show_difference(row: Mapping[str, Any]) -> None:
    if row["error"]:
        return click.echo(printable(f"{row['name']}: {row['error']}"), err=True)
    if not row["differs"]:
        return click.echo(f"{row['name']}: {row['path']} is true")
    click.echo(f"{row['name']}: {row['path']} {'differs' if row['exists'] else 'is not there'}")
    for each in row["variables"]:
        sign = {"added": "+", "removed": "-", "changed": "~"}[each["what"]]
        values = [f"{key} {each[key]}" for key in ("from", "to") if each.get(key) is not None]
        click.echo(printable(f"  {sign} {each['variable']}{': ' if values else ''}{', '.join(values)}"))
    for note in row["notes"]:
        click.echo(f"  {printable(note)}")
    return None


@envfile.command()
@agent_option
@_name_option
@_json_option
def status(agent: AgentClient, plugin: str, as_json: bool) -> None:
    """Show the files of a running agent: how old they are, and what is wrong.

    Exits with 1 where one could not be refreshed, or what is to be done after a change failed.
    """
    _show_status(_asked(agent, plugin, lambda: agent.get(f"/plugins/{plugin}/status")), as_json)


@envfile.command()
@agent_option
@_name_option
@_json_option
@click.argument("file", metavar="[NAME]", required=False, default="")
def refresh(agent: AgentClient, plugin: str, as_json: bool, file: str) -> None:
    """Have a running agent ask anew now, for the file NAME or for all, and show how it went."""
    query = f"?{urlencode({'file': file})}" if file else ""
    found = _asked(agent, plugin, lambda: json.loads(agent.post(f"/plugins/{plugin}/refresh{query}")))
    _show_status(found, as_json)


def _asked(agent: AgentClient, plugin: str, ask: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = ask()["files"]
    except NotFoundError as error:
        if str(error).startswith("there is no file"):
            raise
        raise NotFoundError(
            f"the agent at {agent.address} has no plugin {plugin}; its settings would have a table [plugins.{plugin}]; "
            "-A URL asks another agent"
        ) from None
    return found


def _show_status(files: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(files, indent=2))
    else:
        show_table(("FILE", "STATE", "AGE", "NEXT", "VARIABLES", "PATH", "WHY"), _status_rows(files))
    if any(each["error"] or (each["actions"] or {}).get("error") for each in files):
        raise SystemExit(1)


def _status_rows(files: Iterable[Mapping[str, Any]]) -> Iterable[tuple[object, ...]]:
    now = time.time()
    for each in files:
        actions = each["actions"] or {}
        why = [each["error"], *each["warnings"]]
        if actions.get("error"):
            why.append(f"on_change: {actions['error']}")
        elif actions.get("pending"):
            why.append("on_change: at work")
        count = "-" if each["variables"] is None else each["variables"]
        following = f"{max(0.0, each['next_at'] - now):.0f} s" if each["next_at"] else "now"
        text = "; ".join(part for part in why if part)
        yield each["name"], each["state"], ago(each["checked_at"], now), following, count, each["path"], text
