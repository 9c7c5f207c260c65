"""`ssm`: parameters of Systems Manager's Parameter Store."""

from __future__ import annotations

from typing import Any

from .calls import Calls, Values
from .errors import NOT_FOUND, Unresolved
from .names import chosen, renamed
from .properties import Properties, bad
from .source import Source

__all__ = ["SSM"]

_MOST_AT_ONCE = 10


async def _resolve(asked: Properties, call: Calls) -> Values:
    names, path = asked.list("Name"), asked.text("Path")
    if bool(names) == bool(path):
        raise bad("Name", "expected one of Name and Path")
    if any(each.endswith("/") for each in names):
        if len(names) > 1:
            raise bad("Name", "one that ends in / is a path; expected it alone, or names of parameters")
        path = names[0]
    decrypt = asked.flag("Decrypt", default=True)
    found = await (_by_path(path, asked, call, decrypt=decrypt) if path else _by_name(names, call, decrypt=decrypt))
    names_of = renamed({key: key for key in chosen(dict.fromkeys(found, ""), asked)}, asked)
    return Values(
        {name: found[key]["Value"] for name, key in names_of.items()},
        secret=[name for name, key in names_of.items() if found[key].get("Type") == "SecureString"],
    )


async def _by_name(names: list[str], call: Calls, *, decrypt: bool) -> dict[str, dict[str, Any]]:
    """Parameters by the last parts of their names."""
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(names), _MOST_AT_ONCE):
        some = names[start : start + _MOST_AT_ONCE]
        answer = await call("ssm", "GetParameters", Names=some, WithDecryption=decrypt)
        if missing := answer.get("InvalidParameters"):
            raise Unresolved(NOT_FOUND, f"there is no parameter {', '.join(missing)}")
        for each in answer.get("Parameters") or ():
            key = each["Name"].rpartition("/")[2]
            if key in found:
                raise bad(
                    "Name", f"{found[key]['Name']} and {each['Name']} end alike; ask for them one by one, or by Path"
                )
            found[key] = each
    return found


async def _by_path(path: str, asked: Properties, call: Calls, *, decrypt: bool) -> dict[str, dict[str, Any]]:
    """Parameters by their names below the path."""
    below = f"/{path.strip('/')}/" if path.strip("/") else "/"
    pages = call.pages(
        "ssm",
        "GetParametersByPath",
        "Parameters",
        Path=below,
        Recursive=asked.flag("Recursive", default=True),
        WithDecryption=decrypt,
        MaxResults=_MOST_AT_ONCE,
    )
    found = {each["Name"].removeprefix(below): each async for each in pages}
    if not found and not asked.flag("AllowEmpty", default=False):
        raise Unresolved(NOT_FOUND, f"there are no parameters below {path}")
    return found


SSM = Source(
    resolve=_resolve,
    help="Parameters of Systems Manager, by name or by path.",
    properties={
        "Name": "Names of parameters; name:3 and name:label ask for a version. One that ends in / is a Path.",
        "Path": "All below a path, instead: /app/prod.",
        "Recursive": "false: only those directly below the path.",
        "Decrypt": "false: leave SecureStrings encrypted.",
        "AllowEmpty": "true: none below the path will do.",
        "Includes": "Only these; globs on what they are called here.",
        "Excludes": "Not these.",
        "Prefix": "Put before every name.",
        "Rename": "Other names: db/url=DATABASE_URL.",
        "KeyStyle": "keep (unless said), or upper_snake: db/url is DB_URL.",
    },
    attributes={"*": "Each value, by the last part of its name, or by its name below the path: db/url."},
    actions={
        "ssm:GetParameters": "arn:aws:ssm:*:*:parameter/*",
        "ssm:GetParametersByPath": "arn:aws:ssm:*:*:parameter/*",
    },
)
