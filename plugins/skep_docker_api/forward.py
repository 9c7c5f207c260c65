"""Passing a request through to one engine: as a stream both ways, or as a connection that both sides take over."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import Final

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from skep import Engine, pump, take_over
from skep_docker_api.presence import while_present
from skep_docker_api.queries import whole_body

__all__ = ["AS_SENT", "OnAnswer", "engine_version", "forward", "headers_upward", "tunnel"]

OnAnswer = Callable[[int], Awaitable[object]]
"""Awaited with the status of the engine's answer."""

AS_SENT: Final = object()
"""For a body or a query: the client's own, unread and unchanged."""

_VERSION = re.compile(r"/v(\d{1,4})\.(\d{1,4})/", re.ASCII)
# RFC 9110, section 7.6.1: for a single connection only. aiohttp has answered Expect; Host is the engine's.
_SINGLE_HOP = frozenset(
    [
        "connection",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)
# Seconds between the head of a connection that is taken over and its first bytes: docker-py loses those that come with the head in
# the buffer of its HTTP library. They seldom do from an engine, but would from here, where both are waiting.
_HEAD_ALONE = 0.02
_NEITHER_BODY = frozenset(("content-length", "content-encoding"))


async def engine_version(request: web.BaseRequest, engine: Engine) -> str:
    """The API version to speak with an engine for a request: the client's, or the nearest that the engine knows; "" where it named none."""
    match = _VERSION.match(request.rel_url.raw_path)
    return await engine.nearest_version(f"{match[1]}.{match[2]}") if match else ""


def headers_upward(request: web.BaseRequest, *, own_body: bool = False) -> CIMultiDict[str]:
    """The client's headers without those for a single hop; `own_body`: without those that tell of the client's body too."""
    return _without(request.headers, _SINGLE_HOP | _NEITHER_BODY if own_body else _SINGLE_HOP)


async def forward(
    request: web.BaseRequest,
    engine: Engine,
    path: str,
    *,
    method: str | None = None,
    query: Mapping[str, object] | str | None = None,
    body: bytes | AsyncIterable[bytes] | object | None = AS_SENT,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    on_answer: OnAnswer | None = None,
    on_body: OnAnswer | None = None,
    on_end: OnAnswer | None = None,
) -> web.StreamResponse:
    """Put a request to one engine and hand its answer on, whatever its status, both as streams; return it, sent.

    path: percent-encoded, without a version. method, query: None for the client's own, as sent. body: the client's unless
    given. headers: instead of the client's (without those for a single hop). timeout: seconds until the engine answers.
    on_answer: awaited when the engine has answered, before the client is told anything.
    on_body: awaited when the first of the answer's body has come, before it is handed on.
    on_end: awaited when the engine's answer is complete, before the client is told that it is; bytes that it returns are told too.

    A client that goes away ends the request to the engine; one that does not read holds the engine back. Raises as
    `Engine.stream`.
    """
    own_body = body is not AS_SENT
    if body is AS_SENT:
        body = request.content.iter_any() if request.body_exists else None
    assert body is None or isinstance(body, bytes | AsyncIterable)
    version = await engine_version(request, engine)
    async with (
        while_present(request),
        engine.stream(
            method or request.method,
            path,
            query=request.rel_url.raw_query_string if query is None else query,
            headers=headers_upward(request, own_body=own_body) if headers is None else headers,
            data=body,
            timeout=timeout,
            version=version,
        ) as answer,
    ):
        if on_answer is not None:
            await on_answer(answer.status)
        return await _hand_on(request, answer, on_body, on_end)


async def _hand_on(
    request: web.BaseRequest, answer: aiohttp.ClientResponse, on_body: OnAnswer | None, on_end: OnAnswer | None
) -> web.StreamResponse:
    # A client that knows the length knows the end before it is told.
    dropped = _SINGLE_HOP if on_end is None else _SINGLE_HOP | {"content-length"}
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=_without(answer.headers, dropped))
    response.headers.setdefault("Content-Type", "")  # is not sent: else aiohttp would tell a type of its own
    if on_end is not None and _ends_with_head(request, answer):
        await on_end(answer.status)
        on_end = None
    await response.prepare(request)
    if request.method != "HEAD":
        async for chunk in answer.content.iter_any():
            if on_body is not None:
                await on_body(answer.status)
                on_body = None
            await response.write(chunk)
    if on_end is not None:
        more = await on_end(answer.status)
        if isinstance(more, bytes) and more:
            await response.write(more)
    await response.write_eof()
    return response


def _ends_with_head(request: web.BaseRequest, answer: aiohttp.ClientResponse) -> bool:
    """Whether a client that has the head knows that all is over (RFC 9112, section 6.3)."""
    return request.method == "HEAD" or answer.status in (204, 304)


async def tunnel(
    request: web.BaseRequest, engine: Engine, path: str, *, query: str | None = None, body: bytes | None = None
) -> web.StreamResponse:
    """Put a request to one engine, take over both connections when it agrees, and copy until both ends have ended.

    query, body: None for the client's own. Raises as `Engine.hijack`: EngineError when the engine refuses.
    """
    sent = await whole_body(request)
    headers = headers_upward(request, own_body=True)
    for name in ("Connection", "Upgrade"):
        headers.extend((name, value) for value in request.headers.getall(name, ()))
    far = await engine.hijack(
        request.method,
        path,
        query=request.rel_url.raw_query_string if query is None else query,
        headers=headers,
        body=sent if body is None else body,
        version=await engine_version(request, engine),
    )
    async with far:
        reason = "UPGRADED" if far.status == 101 else "OK"
        near = take_over(request, status=far.status, reason=reason, headers=far.headers)
        if not request.headers.get("User-Agent", "").startswith("Docker-Client/"):
            await asyncio.sleep(_HEAD_ALONE)
        await pump(near, far, linger=None if _is_bidirectional(far.headers) else 1.0)
    return near


def _is_bidirectional(headers: Mapping[str, str]) -> bool:
    """Whether both sides speak for as long as they like (websockets, HTTP/2), so that neither's end is the other's."""
    return headers.get("Upgrade", "tcp").lower() != "tcp"


def _without(headers: Mapping[str, str], dropped: frozenset[str]) -> CIMultiDict[str]:
    """The headers but for those, and for those that `Connection` names."""
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    kept: CIMultiDict[str] = CIMultiDict()
    for key, value in headers.items():
        if key.lower() not in dropped and key.lower() not in named:
            kept.add(key, value)
    return kept
