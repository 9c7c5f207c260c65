"""Lookups in AWS, for wherever Python runs: nothing but the standard library is imported, and this package by relative imports.

So it can be put into the zip of a Lambda function, under any name. `resolve` is all that a front end needs; it brings an `Aws`, which
carries out the calls: `Boto3` where boto3 is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from .boto import Boto3
from .calls import Aws, Calls, Place, Values
from .errors import AMBIGUOUS, BAD_PROPERTY, DENIED, NOT_FOUND, NOT_READY, TEMPORARY, AwsError, Unresolved, told
from .properties import COMMON, Properties, bad
from .source import Source
from .sources import SOURCES

__all__ = [
    "AMBIGUOUS",
    "BAD_PROPERTY",
    "COMMON",
    "DENIED",
    "NOT_FOUND",
    "NOT_READY",
    "SOURCES",
    "TEMPORARY",
    "Aws",
    "AwsError",
    "Boto3",
    "Place",
    "Source",
    "Unresolved",
    "Values",
    "resolve",
    "told",
]


async def resolve(name: str, properties: Mapping[str, str | list[str]], aws: Aws) -> Values:
    """Answer the lookup `name`. Raises Unresolved, whose `kind` says why there is no answer."""
    source = SOURCES.get(name)
    if source is None:
        raise Unresolved(NOT_FOUND, f"there is no lookup {name!r}; known are {', '.join(SOURCES)}")
    known = [*source.properties, *COMMON]
    for each in properties:
        if not any(each == one or (one[-1:] == "*" and each.startswith(one[:-1])) for one in known):
            raise bad(each, f"there is no such property; {name} takes {', '.join(known)}")
    for each in source.required:
        if not properties.get(each):
            raise bad(each, f"it is missing; {name} takes {', '.join(known)}")
    asked = Properties(properties)
    values = await source.resolve(asked, Calls(aws, asked.place()))
    if not (wanted := asked.list("Attributes")):
        return values
    chosen = {key: value for key, value in values.items() if any(fnmatchcase(key, each) for each in wanted)}
    if not chosen:
        raise bad(
            "Attributes", f"none of {', '.join(wanted)} is there; there are {', '.join(sorted(values)) or 'none'}"
        )
    return Values(chosen, values.secret.intersection(chosen))
