"""`skep policy`: the rules looked at, tried, and learned."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import click

from skep import (
    AgentClient,
    ApiRequest,
    Client,
    NotFoundError,
    SettingsError,
    agent_option,
    load_settings,
    parse_plugin_settings,
    printable,
    settings_options,
    show_table,
    strict_json,
)

if TYPE_CHECKING:
    from skep_policy.settings import PolicySettings

__all__ = ["policy"]

_name_option = click.option(
    "--name", "plugin", default="policy", show_default=True, help="The plugin's name in the settings."
)


@click.group()
def policy() -> None:
    """Who may do what through the Docker API."""


@policy.command()
@settings_options
@_name_option
def check(path: Path | None, flags: tuple[str, ...], plugin: str) -> None:
    """Check the rules, and list them in the order in which they count."""
    settings = _settings(path, flags, plugin)
    rows = [
        (
            name,
            ", ".join(rule.clients),
            ", ".join(rule.allow),
            rule.profile,
            rule.owner or "-",
            ", ".join(rule.nodes) or "-",
        )
        for name, rule in settings.rules.items()
    ]
    show_table(("RULE", "CLIENTS", "ALLOW", "PROFILE", "OWN", "NODES"), rows)
    if settings.mode == "learn":
        click.echo("the mode is learn: everything is allowed")


@policy.command()
@settings_options
@_name_option
@click.option(
    "--as", "client", required=True, metavar="CLIENT", help="A certificate's name or URI, uid:1000, or ip:ADDRESS."
)
@click.argument("method")
@click.argument("path_", metavar="PATH")
def explain(path: Path | None, flags: tuple[str, ...], plugin: str, client: str, method: str, path_: str) -> None:
    """Say whether CLIENT may send METHOD PATH, with the body from the standard input, and which rule says so.

    No agent is asked: what belongs to whom is not looked at. Exit status 1: refused.
    """
    from skep_policy.judging import judge, named
    from skep_policy.operations import UNKNOWN

    settings = _settings(path, flags, plugin)
    data = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
    url = urlsplit(path_)
    query: dict[str, tuple[str, ...]] = {}
    for key, value in parse_qsl(url.query, keep_blank_values=True):
        query[key] = (*query.get(key, ()), value)
    body = strict_json(data, "JSON in the request's body") if data.strip() else None
    request = ApiRequest(client=_client(client), method=method.upper(), path=url.path, query=query, body=body)
    found = settings.rule_for(request.client)
    if found is None:
        click.echo(printable(f"refused: there is no rule for {client}"))
        raise SystemExit(1)
    name, rule = found
    _, findings = judge(request, rule, None)
    if not findings:
        click.echo(printable(f"allowed: rule {name} allows {named(request)}"))
        return
    click.echo(printable(f"refused: rule {name} refuses {named(request)}"))
    if named(request) == UNKNOWN:
        what = f"{request.method} {request.path} is no known call of the Docker API"
        click.echo(printable(f"  {what}; only allow = ['all'] lets it pass"))
        raise SystemExit(1)
    for finding in findings:
        hint = f" (would be allowed by {finding.grant[0]} = [{finding.grant[1]!r}])" if finding.grant else ""
        click.echo(printable(f"  {finding.text}{hint}"))
    raise SystemExit(1)


@policy.command()
@agent_option
@_name_option
def learned(agent: AgentClient, plugin: str) -> None:
    """Print the smallest rules that would have allowed what was asked since the agent started, as settings.

    The agent's setting `mode` has to be "learn".
    """
    try:
        told = agent.get(f"/plugins/{plugin}/learned")
    except NotFoundError:
        raise NotFoundError(f"the agent at {agent.address} has no plugin {plugin}") from None
    if told["mode"] != "learn":
        click.echo('# the mode is not "learn": nothing is noted', err=True)
    click.echo(told["toml"], nl=False)


def _client(text: str) -> Client:
    kind, _, rest = text.partition(":")
    if kind in ("uid", "gid") and rest.isdigit():
        return Client(uid=int(rest), gid=int(rest)) if kind == "uid" else Client(gid=int(rest))
    if kind == "ip":
        return Client(address=rest)
    return Client(uris=(text,)) if "://" in text else Client(name=text)


def _settings(path: Path | None, flags: tuple[str, ...], plugin: str) -> PolicySettings:
    from skep_policy.settings import PolicySettings

    settings = load_settings(path, flags=flags)
    table = settings.plugins.get(plugin)
    if table is None:
        raise SettingsError(f"the settings have no table [plugins.{plugin}]; -c FILE names them")
    found = parse_plugin_settings(PolicySettings, table, plugin, settings.source, settings.origins)
    assert isinstance(found, PolicySettings)
    return found
