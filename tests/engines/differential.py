"""One script of Engine API calls, put to an engine directly and through an endpoint over that engine: what each call answered.

A script has one call a line, `METHOD PATH BODY`; `name <- ` before it keeps the `Id` of its answer, and `$name` stands for that later. A body
is sent as it is written, so that a wrong one can be written too; `<name>` is one of `TARS`.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

HEADERS = (
    "Content-Type",
    "Api-Version",
    "Ostype",
    "Docker-Experimental",
    "Builder-Version",
    "Cache-Control",
    "Pragma",
    "Location",
    "X-Docker-Container-Path-Stat",
)
"""Headers that clients look at."""

_ID = re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{12})\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)")
_AGE = re.compile(r"\b(?:\d+ seconds?|Less than a second|About a minute)\b")
_ADDRESS = re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b|\b(?:172|10)\.\d+\.\d+\.\d+\b")
_PID = re.compile(r"^\d{2,7}$")
_VARYING = frozenset(
    ("Created", "CreatedAt", "time", "timeNano", "Pid", "SizeRw", "SystemTime", "LastTagTime", "NFd", "NGoroutines", "SandboxKey")
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What one call answered, with ids, times and addresses replaced."""

    call: str
    status: int
    headers: Mapping[str, str]
    body: Any

    def differences(self, other: Answer) -> Iterator[str]:
        """What is different in the other one, one line each."""
        if self.status != other.status:
            yield f"status {self.status} -> {other.status}: {self.body} -> {other.body}"
            return
        for name in HEADERS:
            if self.headers.get(name) != other.headers.get(name):
                yield f"header {name}: {self.headers.get(name)} -> {other.headers.get(name)}"
        yield from _differences("body", self.body, other.body)


def _differences(where: str, one: Any, other: Any) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in {**one, **other}:
            if key not in one or key not in other:
                yield f"{where}.{key}: {one.get(key, '(none)')} -> {other.get(key, '(none)')}"
            else:
                yield from _differences(f"{where}.{key}", one[key], other[key])
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for place, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from _differences(f"{where}[{place}]", first, second)
    elif one != other:
        yield f"{where}: {one!r} -> {other!r}"


async def answers(url: str, script: str) -> list[Answer]:
    """Put a script's calls to `url`, one after the other."""
    found, kept = [], dict[str, str]()
    connector = aiohttp.UnixConnector(url.removeprefix("unix://"), force_close=True)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(20)) as session:
        for line in filter(None, map(str.strip, script.splitlines())):
            name, arrow, call = line.partition(" <- ")
            call = call if arrow else line
            for known, value in kept.items():
                call = call.replace(f"${known}", value)
            answer, raw = await _answer(session, line, call)
            if arrow:
                kept[name] = json.loads(raw)["Id"]
            found.append(answer)
    return found


async def _answer(session: aiohttp.ClientSession, line: str, call: str) -> tuple[Answer, bytes]:
    method, path, *rest = call.split(" ", 2)
    body: bytes | None = rest[0].encode() if rest else None
    headers = {}
    if body is not None:
        name = body.decode().strip("<>")
        body = TARS.get(name, body)
        headers["Content-Type"] = "application/x-tar" if name in TARS else "application/json"
    url = URL(f"http://docker{path}", encoded=True)
    try:
        async with session.request(
            method, url, data=body, headers=headers, skip_auto_headers=["Accept", "Content-Type"]
        ) as response:
            raw = await response.read()
            told = {name: response.headers[name] for name in HEADERS if name in response.headers}
    except (aiohttp.ClientError, TimeoutError) as error:
        raise AssertionError(f"{call}: {error!r}") from error
    if stat := told.get("X-Docker-Container-Path-Stat"):
        told["X-Docker-Container-Path-Stat"] = str(_normal(json.loads(base64.b64decode(stat)) | {"mtime": ""}))
    return Answer(line, response.status, told, _content(raw)), raw


def _content(raw: bytes) -> Any:
    if raw[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
            return sorted(_ID.sub("ID", member.name) for member in tar)
    text = raw.decode("utf-8", "surrogateescape")
    try:
        return _normal(json.loads(text))
    except ValueError:
        pass
    try:
        return [_normal(json.loads(line)) for line in text.splitlines()]
    except ValueError:
        return _normal(text)


def _normal(value: Any, key: str = "") -> Any:
    if key in _VARYING and isinstance(value, int | str):
        return type(value).__name__
    if key == "Processes" and isinstance(value, list):
        return [row[-1] for row in value]
    if isinstance(value, dict):
        return {_normal(name): _normal(item, name) for name, item in value.items()}
    if isinstance(value, list):
        # Engines list networks and volumes in no order.
        return sorted(
            (_normal(item) for item in value),
            key=lambda item: str(item.get("Name", "")) if isinstance(item, dict) else "",
        )
    if isinstance(value, str):
        text = _ADDRESS.sub("ADDRESS", _AGE.sub("AGE", _TIME.sub("TIME", _ID.sub("ID", value))))
        return "NUMBER" if _PID.match(text) else text
    return value


def _tar(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


TARS = {
    "file": _tar(hello="hello\n"),
    "context": _tar(Dockerfile="FROM busybox\nLABEL made=here\nRUN echo built > /built\n"),
    "bad-context": _tar(Dockerfile="FROM busybox\nRUN exit 3\n"),
    "no-dockerfile": _tar(other="x"),
}
"""Bodies by name."""


async def compared(direct: str, through: str, script: str, clean: Any) -> list[str]:
    """The differences between both ways, each with its call. `clean()` makes the engine as new, before and between."""
    await asyncio.to_thread(clean)
    expected = await answers(direct, script)
    await asyncio.to_thread(clean)
    got = await answers(through, script)
    await asyncio.to_thread(clean)
    return [f"{one.call}\n    {text}" for one, two in zip(expected, got, strict=True) for text in one.differences(two)]
