"""`stack`: the outputs of a CloudFormation stack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from .calls import Calls, Values
from .errors import NOT_FOUND, NOT_READY, AwsError, Unresolved
from .names import chosen, renamed
from .properties import Properties, bad
from .source import Source

__all__ = ["STACK"]

_MOST_NESTED = 200
_GONE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_COMPLETE", "CREATE_FAILED")
_AFTER = (
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
)  # the outputs are in force


async def _resolve(asked: Properties, call: Calls) -> Values:
    stack = await _stack(asked.text("StackName"), asked, call)
    outputs = _outputs(stack)
    if asked.flag("Nested", default=False):
        outputs |= {key: value async for key, value in _nested(stack["StackId"], "", asked, call, [0])}
    if asked.flag("Resources", default=False):
        async for each in _resources(stack["StackId"], call):
            outputs[f"Resource.{each['LogicalResourceId']}"] = each.get("PhysicalResourceId", "")
    outputs = renamed(chosen(outputs, asked), asked)
    values: dict[str, str | list[str]] = dict(outputs)
    if asked.flag("Environment", default=True) and "Environment" not in asked.list("Excludes"):
        values["Environment"] = _environment(outputs)
    return Values(values)


async def _stack(name: str, asked: Properties, call: Calls) -> dict[str, Any]:
    """A stack whose outputs are in force."""
    try:
        found = (await call("cloudformation", "DescribeStacks", StackName=name)).get("Stacks") or ()
    except AwsError as error:
        if error.code == "ValidationError" and "does not exist" in str(error):
            raise Unresolved(NOT_FOUND, f"there is no stack {name}") from None
        raise
    if not found:
        raise Unresolved(NOT_FOUND, f"there is no stack {name}")
    stack: dict[str, Any] = found[0]
    status = stack.get("StackStatus", "")
    if status in _GONE:
        raise Unresolved(NOT_FOUND, f"stack {name} is of no use: its status is {status}")
    in_force = status in _AFTER or status.endswith("_COMPLETE")
    if not in_force and not asked.flag("AllowInProgress", default=False):
        raise Unresolved(NOT_READY, f"stack {name} is being changed ({status}), and its outputs may be old ones")
    return stack


def _outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each.get("OutputValue", "") for each in stack.get("Outputs") or ()}


async def _resources(stack_id: str, call: Calls) -> AsyncIterator[dict[str, Any]]:
    async for each in call.pages("cloudformation", "ListStackResources", "StackResourceSummaries", StackName=stack_id):
        if each.get("ResourceStatus") != "DELETE_COMPLETE":
            yield each


async def _nested(
    stack_id: str, prefix: str, asked: Properties, call: Calls, count: list[int]
) -> AsyncIterator[tuple[str, str]]:
    """The outputs of the stacks within a stack, and of those within them, as `Child.Key`. `count` of them are read already."""
    async for each in _resources(stack_id, call):
        if each["ResourceType"] != "AWS::CloudFormation::Stack" or not each.get("PhysicalResourceId"):
            continue
        count[0] += 1
        if count[0] > _MOST_NESTED:
            raise bad("Nested", f"there are more than {_MOST_NESTED} stacks within the stack")
        child = await _stack(each["PhysicalResourceId"], asked, call)
        name = f"{prefix}{each['LogicalResourceId']}."
        for key, value in _outputs(child).items():
            yield f"{name}{key}", value
        async for key, value in _nested(child["StackId"], name, asked, call, count):
            yield key, value


def _environment(outputs: dict[str, str]) -> str:
    """All outputs as the lines of an env file, without the last line's end. Docker reads a line's rest as it is, so quotes would be kept."""
    for key, value in outputs.items():
        if set(value) & {"\n", "\r", "\0"}:
            raise bad(
                "Excludes", f"output {key} has more than one line, and an env file cannot; exclude it, or Environment"
            )
    return "\n".join(f"{key}={value}" for key, value in outputs.items())


STACK = Source(
    resolve=_resolve,
    help="The outputs of a CloudFormation stack.",
    properties={
        "StackName": "Its name or id.",
        "Includes": "Only these outputs; globs such as Db*.",
        "Excludes": "Not these outputs; globs. Environment leaves that attribute out.",
        "Prefix": "Put before every name.",
        "Rename": "Other names: DbUrl=DATABASE_URL.",
        "KeyStyle": "keep (unless said), or upper_snake: DbUrl is DB_URL.",
        "Nested": "true: the outputs of stacks within it too, as Child.Key.",
        "Resources": "true: the physical ids of its resources too, as Resource.LogicalId.",
        "AllowInProgress": "true: even while it is being changed.",
        "Environment": "false: without the attribute Environment. So it is in skep's own commands and files, unless said.",
    },
    required=("StackName",),
    attributes={
        "*": "Each output.",
        "Environment": "All of them as lines KEY=value, for an env file.",
    },
    actions={"cloudformation:DescribeStacks": "*", "cloudformation:ListStackResources": "*"},
)
