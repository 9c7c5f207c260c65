"""Paths, queries and bodies as Docker's clients send them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from skep import RequestError

__all__ = ["Filters", "decode_body", "filters", "flag", "integer", "json_answer", "label_test", "path_of", "whole_body"]

T = TypeVar("T")
Filters = Mapping[str, list[str]]
"""A filter's name to the values that were asked for, in their order."""

_BODY_SECONDS = 60.0  # that a body has, all of it
_MOST_VALUES = 200  # of all filters of a request; each may be compared with every container of the cluster
_FALSE = frozenset(("", "0", "no", "false", "none"))
_VERSION = re.compile(r"/v\d+\.\d+(?=/)", re.ASCII)


def path_of(request: web.BaseRequest) -> str:
    """A request's path, percent-encoded as it came, without its version."""
    raw = request.rel_url.raw_path
    match = _VERSION.match(raw)
    return raw[match.end() :] if match else raw


def flag(request: web.BaseRequest, name: str, *, default: bool = False) -> bool:
    """A boolean of the query, as engines read it: false for nothing, 0, no, false, none."""
    value = request.query.get(name)
    return default if value is None else value.strip().lower() not in _FALSE


def integer(request: web.BaseRequest, name: str) -> int | None:
    """A whole number of the query; None where it is missing or empty. Raises RequestError (400) for anything else."""
    text = request.query.get(name, "").strip()
    if not text:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) < 19):
        raise RequestError(f"invalid value {text[:40]!r} for {name}: expected a whole number")
    return int(text)


def filters(request: web.BaseRequest, known: Collection[str] | None) -> dict[str, list[str]]:
    """The query's `filters`, in either of their forms, `{"name": ["a"]}` and `{"name": {"a": true}}`.

    Raises RequestError (400) where they are neither, for a name that is not in `known` (None: all are), or for more than 200 values.
    """
    text = request.query.get("filters", "")
    if not text:
        return {}
    try:
        given = msgspec.json.decode(text, type=dict[str, list[str] | dict[str, bool] | None])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RequestError(f'invalid filters: {error}; expected JSON such as {{"name": ["web"]}}') from None
    for name in given:
        if known is not None and name not in known:
            raise RequestError(f"invalid filter '{name[:80]}'")
    if (number := sum(len(values or ()) for values in given.values())) > _MOST_VALUES:
        raise RequestError(f"invalid filters: {number} values, expected at most {_MOST_VALUES}")
    return {name: list(values) for name, values in given.items() if values}


def label_test(values: Iterable[str]) -> Callable[[Mapping[str, str]], bool]:
    """Whether labels have all that the filter `label` asks for, each as `key` or `key=value`."""
    wanted = [value.partition("=") for value in values]
    return lambda labels: all(key in labels and (not equals or labels[key] == value) for key, equals, value in wanted)


async def whole_body(request: web.BaseRequest) -> bytes:
    """The request's body, held in memory. Raises RequestError (408) where it does not come within a minute."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise RequestError(f"the request's body did not come within {_BODY_SECONDS:g} s", status=408) from None


async def decode_body(request: web.BaseRequest, type: type[T]) -> T:  # noqa: A002 - msgspec's word
    """The request's body as JSON of that type. Raises RequestError (400) naming the place where it is not."""
    try:
        return msgspec.json.decode(await whole_body(request), type=type)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RequestError(f"invalid JSON in the request's body: {error}") from None


def json_answer(value: Any, *, status: int = 200) -> web.Response:
    """An answer of our own in JSON."""
    return web.Response(status=status, body=msgspec.json.encode(value), content_type="application/json")
