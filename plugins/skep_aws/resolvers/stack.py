"""`stack`: the outputs of a CloudFormation stack."""

from __future__ import annotations

from .calls import Calls, Values
from .errors import NOT_FOUND, AwsError, Unresolved
from .properties import Properties
from .source import Source

__all__ = ["STACK"]


async def _resolve(asked: Properties, call: Calls) -> Values:
    name = asked.text("StackName")
    try:
        answer = await call("cloudformation", "DescribeStacks", StackName=name)
    except AwsError as error:
        if error.code == "ValidationError" and "does not exist" in str(error):
            raise Unresolved(NOT_FOUND, f"there is no stack {name}") from None
        raise
    return Values({each["OutputKey"]: each["OutputValue"] for each in answer["Stacks"][0].get("Outputs", ())})


STACK = Source(
    resolve=_resolve,
    help="The outputs of a CloudFormation stack.",
    properties={"StackName": "The name or the id of a stack."},
    required=("StackName",),
    attributes={"*": "Each output."},
    actions={"cloudformation:DescribeStacks": "*"},
)
