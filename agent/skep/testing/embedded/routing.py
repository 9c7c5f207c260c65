"""Requests and answers of the embedded engine, and the table of its paths."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import web

from .errors import EngineError

if TYPE_CHECKING:
    from .engine import EmbeddedEngine

JSON = "application/json"
_FALSE = ("", "0", "no", "false", "none")


@dataclass(slots=True)
class Reply:
    """An ordinary answer. Faults may change it before it is sent."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Call:
    """One request: what it names, asks and brings."""

    engine: EmbeddedEngine
    request: web.Request
    version: tuple[int, int]
    path: str
    names: Mapping[str, str]

    def text(self, name: str, default: str = "") -> str:
        """A query parameter."""
        return self.request.query.get(name, default)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A query parameter as the engine reads booleans: anything but empty, 0, no, false, none is true."""
        value = self.request.query.get(name)
        return default if value is None else value.strip().lower() not in _FALSE

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number. Raises EngineError 500, as engines do."""
        value = self.text(name)
        try:
            return int(value) if value else default
        except ValueError:
            raise EngineError(500, f'strconv.Atoi: parsing "{value}": invalid syntax') from None

    def size(self) -> tuple[int, int]:
        """Height and width of a terminal. Raises EngineError 400."""
        try:
            return int(self.text("h")), int(self.text("w"))
        except ValueError as error:
            value = str(error).partition(": ")[2].strip("'")
            raise EngineError(400, f'strconv.Atoi: parsing "{value}": invalid syntax') from None

    def filters(self, known: Iterable[str] | None) -> dict[str, list[str]]:
        """The `filters` parameter, in either of its shapes; None knows all. Raises EngineError."""
        text = self.text("filters")
        if not text:
            return {}
        try:
            found = msgspec.json.decode(text, type=dict[str, dict[str, bool] | list[str]])
        except msgspec.DecodeError as error:
            raise EngineError(self.bad_body, f"invalid filter: {error}") from None
        for key in found:
            if known is not None and key not in known:
                raise EngineError(400, f"Invalid filter '{key}'")
        return {key: list(values) for key, values in found.items()}

    @property
    def bad_body(self) -> int:
        """The status for a body that cannot be read: engines before 23 (API 1.42) call it their own fault."""
        return 400 if self.version >= (1, 42) else 500

    async def json(self, *, required: bool = True, bad: int | None = None) -> dict[str, Any]:
        """The body, an object; an empty one only when not `required`. Raises EngineError, of status `bad`."""
        bad = bad or self.bad_body
        raw = await self.request.read()
        if not raw.strip() and not required:
            return {}
        if self.request.content_type != JSON:
            what = self.request.headers.get("Content-Type", "")
            raise EngineError(400, f"Content-Type specified ({what}) must be 'application/json'")
        try:
            body = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            text = "EOF" if not raw.strip() else "unexpected EOF" if "truncated" in str(error) else str(error)
            raise EngineError(bad, text) from None
        if not isinstance(body, dict):
            raise EngineError(self.bad_body, f"json: cannot unmarshal {go_kind(body)} into Go value of type object")
        return body


def go_kind(value: object) -> str:
    """What Go's JSON decoder calls a value."""
    kinds = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return kinds.get(type(value), "null")


Handler = Callable[[Call], Awaitable[Reply | web.StreamResponse]]


class Routes:
    """Paths of one subject; `{name}` stands for one segment, `{name:path}` for several."""

    def __init__(self) -> None:
        self.table: dict[tuple[str, str], list[tuple[re.Pattern[str], Handler]]] = {}

    def add(self, method: str, *paths: str) -> Callable[[Handler], Handler]:
        """Decorator: the handler serves `method` on these paths."""

        def register(handler: Handler) -> Handler:
            for path in paths:
                pattern = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", path)
                pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
                self.table.setdefault((method, path.split("/")[1]), []).append((re.compile(pattern), handler))
            return handler

        return register

    def include(self, other: Routes) -> None:
        """Take over another subject's paths."""
        for key, entries in other.table.items():
            self.table.setdefault(key, []).extend(entries)

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        """The handler of a path, and the names in it. Raises EngineError 404."""
        for pattern, handler in self.table.get((method, path[1:].partition("/")[0]), ()):
            if match := pattern.fullmatch(path):
                return handler, match.groupdict()
        raise EngineError(404, "page not found")


def answer(value: object, status: int = 200) -> Reply:
    """A JSON answer, with the newline that the engine ends it with."""
    return Reply(status, msgspec.json.encode(value) + b"\n")


def nothing(status: int = 204) -> Reply:
    """An answer without a body."""
    return Reply(status)
