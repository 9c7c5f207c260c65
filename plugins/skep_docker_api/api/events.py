"""`docker events`: what happened since, what happens, until."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from skep import RequestError, TemporaryError
from skep_docker_api.authorising import visible
from skep_docker_api.event_filters import event_filter
from skep_docker_api.event_log import MergedEvent
from skep_docker_api.queries import filters
from skep_docker_api.routing import Handler, plugin_of

__all__ = ["ROUTES"]

Fits = Callable[[Mapping[str, Any]], bool]

_SECONDS = re.compile(r"(\d{1,12})(?:\.(\d{0,9})\d*)?", re.ASCII)
_ON_ITS_WAY = 0.3  # seconds that an event may take to get here
_TO_TAKE = 10.0  # seconds that a client has to take what it is sent


async def events(request: web.Request) -> web.StreamResponse:
    """Stream events, one JSON object a line, each sent at once. A client that does not read is cut off."""
    log = plugin_of(request).event_log
    since, until = _moment(request, "since"), _moment(request, "until")
    if since is not None and until is not None and since > until:
        told = f"`since` time ({request.query['since']}) cannot be after `until` time ({request.query['until']})"
        raise RequestError(told)
    fits = _seen(visible(request), event_filter(filters(request, None)))
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with log.reading() as reader:
        seen = set[tuple[object, ...]]()
        if since is not None or until is not None:
            now = time.time_ns()
            past = await log.past(since or 0, min(until or now, now))
            seen = {event.key for event in past}
            await _send(request, response, past, fits)
        with suppress(TimeoutError):
            async with asyncio.timeout(_remaining(until)):
                async for batch in reader:
                    new = [event for event in batch if event.key not in seen and (until is None or event.at <= until)]
                    await _send(request, response, new, fits)
    return response


def _seen(visible: Callable[[Mapping[str, str]], bool] | None, fits: Fits) -> Fits:
    """As `fits`, and what the client may see: the labels of a container are among the attributes of its events."""
    if visible is None:
        return fits
    return lambda event: visible((event.get("Actor") or {}).get("Attributes") or {}) and fits(event)


async def _send(
    request: web.Request, response: web.StreamResponse, batch: Iterable[MergedEvent], fits: Callable[..., bool]
) -> None:
    lines = b"".join(msgspec.json.encode(event.value) + b"\n" for event in batch if fits(event.value))
    if not lines:
        return
    try:
        async with asyncio.timeout(_TO_TAKE):
            await response.write(lines)
    except TimeoutError:
        raise TemporaryError(
            f"a reader of events ({request.remote or 'local'}) was cut off: it does not read"
        ) from None


def _remaining(until: int | None) -> float | None:
    """Seconds to wait for more, None for ever. What happened just before `until` may be on its way still."""
    return None if until is None else max(0.0, (until - time.time_ns()) / 1e9 + _ON_ITS_WAY)


def _moment(request: web.Request, name: str) -> int | None:
    """A moment of the query, `1700000000`, `1700000000.25` or RFC 3339, in nanoseconds since the epoch."""
    text = request.query.get(name, "").strip()
    if not text or (name == "until" and text == "0"):
        return None
    if match := _SECONDS.fullmatch(text):
        return int(match[1]) * 10**9 + int(f"{match[2] or '':0<9}")
    try:
        return int(datetime.fromisoformat(text).timestamp() * 10**9) if "T" in text else _refuse(name, text)
    except (ValueError, OverflowError):
        return _refuse(name, text)


def _refuse(name: str, text: str) -> int:
    raise RequestError(
        f"invalid value {text[:60]!r} for {name}: expected seconds since 1970, such as 1700000000.25, or RFC 3339"
    )


ROUTES: list[tuple[str, str, Handler]] = [("GET", "/events", events)]
