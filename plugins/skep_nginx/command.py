"""`skep nginx`: what the plugin of a running agent is doing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from skep import AgentClient, NotFoundError, SettingsError, agent_option, printable, wait_option

__all__ = ["nginx"]

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def nginx() -> None:
    """The sites that nginx serves."""


@nginx.command()
@click.option(
    "--control", default="", envvar="SKEP_CONTROL", metavar="URL",
    help="Where skep nginx status and so on are answered. SKEP_CONTROL, else unix:///run/skep.sock.",
)  # fmt: skip
def proxy(control: str) -> None:
    """Run nginx before the containers of DOCKER_HOST, set up by nginx-proxy's environment variables.

    \b
    DOCKER_HOST       an engine, a manager of many, or several, comma separated
                      (unix:///tmp/docker.sock; DOCKER_TLS_VERIFY, DOCKER_CERT_PATH)
    HTTP_PORT         where sites are (80), and with TLS HTTPS_PORT (443)
    DEFAULT_HOST      the site of requests that name no other
    TRUST_DOWNSTREAM_PROXY   whether clients' X-Forwarded-* count (true)
    SKEP_LOG_LEVEL    debug, info, warning or error (info)

    \b
    /etc/nginx/certs      certificates, by the names of their sites
    /etc/nginx/vhost.d    what is added to a site
    /etc/nginx/htpasswd   passwords, by the names of their sites
    /etc/nginx/conf.d     what is added to nginx's configuration
    """
    from skep_nginx.proxy import run

    run(control)


def _json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def _name_option(command: F) -> F:
    return click.option("--name", default="nginx", show_default=True, help="The plugin's name in the settings.")(
        command
    )


@nginx.command()
@agent_option
@_json_option
@_name_option
@wait_option("for the last change to be live")
def status(agent: AgentClient, as_json: bool, name: str, wait: float) -> None:
    """Show whether the last change is live, the sites, and the containers that are left out, with the reasons.

    Exits with 1 where the last change failed, or is not live when --wait is over.
    """
    found = _asked(agent, name, lambda: agent.get_until(f"/plugins/{name}/status", _is_live, wait))
    _show(found, as_json, _status_lines)
    if found["state"] == "failing" or (wait and not _is_live(found)):
        raise SystemExit(1)


@nginx.command()
@click.argument("host")
@agent_option
@_json_option
@_name_option
def explain(agent: AgentClient, host: str, as_json: bool, name: str) -> None:
    """Show who answers for HOST, and of each container that names it why it gets no requests.

    Exits with 1 where nobody answers.
    """
    found = _asked(agent, name, lambda: agent.get(f"/plugins/{name}/explain", host=host))
    _show(found, as_json, _explain_lines)
    if not found["answered"]:
        raise SystemExit(1)


@nginx.command()
@click.option("--live", is_flag=True, help="The one that nginx has, instead of the one that the state asks for now.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it to a file.")
@agent_option
@_json_option
@_name_option
def render(agent: AgentClient, live: bool, out: Path | None, as_json: bool, name: str) -> None:
    """Show the configuration of nginx."""
    found = _asked(agent, name, lambda: agent.get(f"/plugins/{name}/render", live="1" if live else "0"))
    text = json.dumps(found, indent=2) + "\n" if as_json else found["text"]
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text)
    except OSError as error:
        raise SettingsError(f"cannot write {out}: {error.strerror}") from None


def _asked(agent: AgentClient, name: str, ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return ask()
    except NotFoundError as error:
        if "yet" in str(error):
            raise
        raise NotFoundError(
            f"the agent at {agent.address} has no plugin {name}; its settings would have a table [plugins.{name}]; "
            "-A URL asks another agent"
        ) from None


def _show(found: dict[str, Any], as_json: bool, lines: Callable[[dict[str, Any]], Iterator[str]]) -> None:
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for line in lines(found):
        click.echo(printable(line))


def _is_live(found: dict[str, Any]) -> bool:
    return bool(found["state"] == "live")


def _status_lines(found: dict[str, Any]) -> Iterator[str]:
    yield f"{found['state']}{': ' + found['error'] if found['error'] else ''}"
    for host, backends in found["sites"].items():
        for backend in backends:
            why = f"no requests now: {backend['why']}" if backend.get("why") else "no requests now"
            paths = _paths(backend)
            yield f"{host}{paths and ' ' + paths}  {backend['node']}/{backend['container']}  {backend['address'] or why}"
    for out in found["left_out"]:
        yield f"left out: {out['node']}/{out['container']}: {out['reason']}"
    for note in found.get("notes", ()):
        yield f"note: {note['node']}/{note['container']}: {note['reason']}"
    yield from _certificate_lines(found.get("certificates", {}))


def _certificate_lines(found: dict[str, Any]) -> Iterator[str]:
    for each in found.get("usable", ()):
        ends = datetime.fromtimestamp(each["expires"], UTC)
        yield f"certificate: {each['name']}  {', '.join(each['names'])}  of {each['issuer']}  until {ends:%Y-%m-%d %H:%M} UTC"
    for file, reason in found.get("problems", {}).items():
        yield f"certificate: {file}: {reason}"
    for order in found.get("acme", ()):
        yield f"acme: {', '.join(order['names'])}  {order['state']}{': ' + order['reason'] if order['reason'] else ''}"
    for container, reason in found.get("acme_refused", {}).items():
        yield f"acme: {container}: {reason}"


def _explain_lines(found: dict[str, Any]) -> Iterator[str]:
    host, site = found["host"], found["site"]
    if not site:
        yield f"{host}: no site of nginx has this name"
    else:
        answer = f"answered{_only_at(found['containers'])}" if found["answered"] else "503, nobody answers"
        yield f"{host}: {'as ' + site + ', ' if site != host else ''}{answer}"
    for row in found["containers"]:
        reason = row["reason"] if not row["by"] else f"left out: {row['reason']}"
        where, paths = row["address"] or "no requests", _paths(row)
        yield f"  {row['node']}/{row['container']}  {where}{paths and '  at ' + paths}{': ' + reason if reason else ''}"


def _paths(row: dict[str, Any]) -> str:
    """A container's paths, "" where it has the whole site, or an older agent does not say."""
    paths = row.get("paths", [])
    return "" if paths == ["/"] else ", ".join(dict.fromkeys(paths))


def _only_at(rows: list[dict[str, Any]]) -> str:
    """Where a site is answered, if that is not everywhere."""
    paths = dict.fromkeys(path for row in rows if row["address"] for path in row.get("paths", []))
    return "" if not paths or "/" in paths else f" at {', '.join(paths)} only"
