"""`skep custom-resource`: what deploys custom resources, and tries them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from skep import Duration, Lookup, NotFoundError, RequestError, lookup_settings, lookups_of, printable, show_table

if TYPE_CHECKING:
    from skep_custom_resource.deploy.account import Account

__all__ = ["custom_resource"]

F = TypeVar("F", bound=Callable[..., Any])


def _account(command: F) -> F:
    """Give a command the options that say which account; its function gets an `Account` as keyword `account`."""

    @click.option("--region", default="", help="The AWS region; the environment's unless said.")
    @click.option("--profile", default="", help="The profile of ~/.aws/config.")
    @click.option("--endpoint-url", default="", metavar="URL", help="Another address for AWS; else AWS_ENDPOINT_URL.")
    @functools.wraps(command)
    def wrapped(*arguments: Any, region: str, profile: str, endpoint_url: str, **options: Any) -> Any:
        from skep_custom_resource.deploy.account import Account

        account = Account(region, profile, endpoint_url, options.pop("dry_run", False), _say)
        return command(*arguments, account=account, **options)

    return wrapped  # type: ignore[return-value]


_dry_run = click.option("--dry-run", is_flag=True, help="Print what would be done, and change nothing.")
_assume = click.option("--assume-role", default="", metavar="ARN", help="Let it take on this role, for RoleArn.")
_properties = click.argument("properties", nargs=-1, metavar="[KEY=VALUE…]")
_timeout = click.option(
    "--timeout", type=Duration(), default="10m", show_default=True, help="Wait so long for the stack."
)
_resource = click.argument("name", metavar="RESOURCE")


def _say(text: str) -> None:
    for line in text.splitlines():
        click.echo(printable(line), err=True)


def _known() -> dict[str, Lookup]:
    return dict(lookups_of(lookup_settings(None)))


def _lookup(name: str) -> Lookup:
    known = _known()
    if name not in known:
        raise NotFoundError(f"there is no custom resource {name!r}; known are {', '.join(sorted(known))}")
    return known[name]


def _read(entries: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for entry in entries:
        key, separator, value = entry.partition("=")
        if not separator or not key:
            raise click.UsageError(f"{entry!r}: expected KEY=VALUE, as StackName=prod")
        found[key] = value
    return found


@click.group("custom-resource")
def custom_resource() -> None:
    """CloudFormation's custom resources: deploy them as Lambda functions, invoke them, and try them with a stack."""


@custom_resource.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List the custom resources that can be deployed, with the properties that they take."""
    known = sorted(_known().items())
    if as_json:
        rows = [
            {"name": n, "help": e.help, "properties": dict(e.properties), "actions": dict(e.actions)} for n, e in known
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    show_table(
        ("RESOURCE", "LAMBDA", "WHAT"), ((name, "yes" if each.package else "no", each.help) for name, each in known)
    )


@custom_resource.command()
@click.argument("names", nargs=-1, required=True, metavar="RESOURCE…")
@_account
@_assume
@_dry_run
def roles(names: tuple[str, ...], account: Account, assume_role: str) -> None:
    """Make the roles of RESOURCEs with the least policy, or change what differs; prints their ARNs."""
    from skep_custom_resource.deploy.functions import ensure_role

    for name, lookup in [(name, _lookup(name)) for name in names]:
        click.echo(ensure_role(account, name, lookup, assume_role))


@custom_resource.command()
@click.argument("names", nargs=-1, required=True, metavar="RESOURCE…")
@_account
@_assume
@_dry_run
def deploy(names: tuple[str, ...], account: Account, assume_role: str) -> None:
    """Make role and Lambda function of RESOURCEs, or change what differs; prints the ARNs for ServiceToken."""
    from skep_custom_resource.deploy.functions import deploy as deployed

    for name, lookup in [(name, _lookup(name)) for name in names]:
        click.echo(deployed(account, name, lookup, assume_role))


@custom_resource.command("zip")
@_resource
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
)
def zip_(name: str, output: Path) -> None:
    """Write the zip of RESOURCE's Lambda function, for those who deploy in another way; its handler is index.handler."""
    from skep_custom_resource.deploy.bundle import bundle, digest

    data = bundle(name, _lookup(name).package)
    output.write_bytes(data)
    click.echo(f"{output}: {len(data)} bytes, CodeSha256 {digest(data)}")


@custom_resource.command()
@_resource
@_properties
@_account
@click.option("--local", is_flag=True, help="In this process, without Lambda.")
@click.option(
    "--type", "kind", type=click.Choice(["Create", "Update", "Delete"]), default="Create", help="The request's type."
)
@click.option("--show-event", is_flag=True, help="Print the request, and send it nowhere.")
def invoke(name: str, properties: tuple[str, ...], account: Account, local: bool, kind: str, show_event: bool) -> None:
    """Have RESOURCE answer a request, as CloudFormation would get it. Exit status 1: it failed."""
    from skep_custom_resource.deploy import invoking

    lookup, asked = _lookup(name), _read(properties)
    if show_event:
        click.echo(json.dumps(invoking.event("000000000000", account.where, name, asked, kind), indent=2))
        return
    if local:
        answer = invoking.invoke_here(account, name, lookup, asked, kind)
    else:
        answer = invoking.invoke(account, name, asked, kind)
    click.echo(json.dumps(answer.get("Response", answer), indent=2, ensure_ascii=False))
    if "Bytes" in answer:
        click.echo(f"{answer['Bytes']} of 4096 bytes", err=True)
    if answer.get("Response", {}).get("Status") == "FAILED":
        raise SystemExit(1)


@custom_resource.command()
@_resource
@_properties
@click.option(
    "--token", default="", metavar="ARN", help="The ServiceToken: a topic that an agent serves; else the function."
)
def template(name: str, properties: tuple[str, ...], token: str) -> None:
    """Print the template of RESOURCE's test stack; `provider` is that of the topic and queue for the agent."""
    from skep_custom_resource.deploy.templates import provider_template, stack_template

    asked = _read(properties)
    made = provider_template(_known()) if name == "provider" else stack_template(name, _lookup(name), asked, (), token)
    click.echo(json.dumps(made, indent=2))


@custom_resource.group("test-stack")
def test_stack() -> None:
    """A stack that uses a custom resource, to see it work."""


def _stack(name: str) -> str:
    return f"{name}-dependency-test-stack"


@test_stack.command()
@_resource
@_properties
@_account
@click.option("--output", "outputs", multiple=True, metavar="ATTRIBUTE", help="Show this attribute; repeatable.")
@click.option(
    "--token", default="", metavar="ARN", help="The ServiceToken: a topic that an agent serves; else the function."
)
@_timeout
@_dry_run
def up(
    name: str, properties: tuple[str, ...], account: Account, outputs: tuple[str, ...], token: str, timeout: float
) -> None:
    """Make the stack, or update it, and show its outputs."""
    from skep_custom_resource.deploy import stacks
    from skep_custom_resource.deploy.templates import stack_template

    made = stack_template(name, _lookup(name), _read(properties), outputs, token)
    _show(stacks.up(account, _stack(name), made, timeout))


@test_stack.command()
@_resource
@_account
@_timeout
@_dry_run
def down(name: str, account: Account, timeout: float) -> None:
    """Delete the stack, and wait until it is gone."""
    from skep_custom_resource.deploy import stacks

    stacks.down(account, _stack(name), timeout)


@test_stack.command()
@_resource
@_account
def status(name: str, account: Account) -> None:
    """Show the stack's status and outputs."""
    from skep_custom_resource.deploy import stacks

    found = stacks.described(account, _stack(name))
    click.echo(f"{_stack(name)} {found['StackStatus']}")
    _show(stacks.outputs(found))


def _show(outputs: dict[str, str]) -> None:
    if outputs:
        show_table(("OUTPUT", "VALUE"), sorted(outputs.items()))


@custom_resource.command()
@click.option(
    "--event",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    required=True,
    help="The request, as JSON.",
)
@click.option("--status", type=click.Choice(["SUCCESS", "FAILED"]), required=True, help="What to answer.")
@click.option("--reason", default="answered by hand", show_default=True, help="Why, where it failed.")
def respond(file: Path, status: str, reason: str) -> None:
    """Answer a request by hand, where its provider never will: so its stack does not wait for an hour."""
    from skep_custom_resource.envelope import Admission
    from skep_custom_resource.protocol import InvalidRequestError, ResourceAnswer, UrlRules, encode
    from skep_custom_resource.protocol.put import put

    try:
        request = Admission(UrlRules.from_environment()).request(file.read_text(errors="replace"))
    except InvalidRequestError as error:
        raise RequestError(f"{file}: {error}") from None
    body = encode(request, ResourceAnswer(success=status == "SUCCESS", reason=reason), "hand")
    outcome = put(request.response_url, body, 30)
    if not outcome.accepted:
        raise RequestError(f"CloudFormation did not take the answer: {outcome.why}")
    click.echo(f"{request}: {status}")
