"""`export`: what CloudFormation stacks export."""

from __future__ import annotations

from .calls import Calls, Values
from .errors import NOT_FOUND, Unresolved
from .names import chosen, renamed
from .properties import Properties, bad
from .source import Source

__all__ = ["EXPORT"]


async def _resolve(asked: Properties, call: Calls) -> Values:
    name, start = asked.text("ExportName"), asked.text("StartsWith")
    if bool(name) == bool(start):
        raise bad("ExportName", "expected one of ExportName and StartsWith")
    found = {}
    async for each in call.pages("cloudformation", "ListExports", "Exports"):
        if each["Name"] == name:
            stack = each.get("ExportingStackId", "")
            return Values({"Name": name, "Value": each["Value"], "ExportingStackId": stack})
        if start and each["Name"].startswith(start):
            found[each["Name"].removeprefix(start)] = each["Value"]
    if not found:
        raise Unresolved(NOT_FOUND, f"no stack exports {name or f'a name that starts with {start}'}")
    return Values(dict(renamed(chosen(found, asked), asked)))


EXPORT = Source(
    resolve=_resolve,
    help="What CloudFormation stacks export: one value, or all whose names start alike.",
    properties={
        "ExportName": "The name of one export.",
        "StartsWith": "How the names of several start, instead.",
        "Includes": "Of several, only these; globs on the rest of their names.",
        "Excludes": "Not these.",
        "Prefix": "Put before every name.",
        "Rename": "Other names: db-url=DATABASE_URL.",
        "KeyStyle": "keep (unless said), or upper_snake: db-url is DB_URL.",
    },
    attributes={
        "Value": "The value of one export.",
        "Name": "Its name.",
        "ExportingStackId": "The stack that exports it.",
        "*": "Of several, each by the rest of its name.",
    },
    actions={"cloudformation:ListExports": "*"},
)
