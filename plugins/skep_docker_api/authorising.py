"""Asking plugins about each request before anything is done, and telling them what became of it.

Where no plugin has a say, requests go on as they came. Where one has, a request is read once, strictly; what plugins allow is what handlers
and engines get: path, query and body encoded anew from what was judged, and what the path names replaced by its id.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec
from aiohttp import StreamReader, web

from skep import Agent, ApiAnswered, ApiRequest, SkepError, error_status
from skep_docker_api.clients import client_of
from skep_docker_api.reading import judged_url, read_request, without_body
from skep_docker_api.routing import ANSWERED, agent_of

__all__ = ["authorise", "hides_env", "visible"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_ALLOWED: web.RequestKey[ApiRequest] = web.RequestKey("allowed", ApiRequest)
_GONE = 499  # as nginx logs it
_CREATED = 201


def visible(request: web.Request) -> Callable[[Mapping[str, str]], bool] | None:
    """Which containers, networks and volumes the client sees, by their labels; None for all."""
    allowed = request.get(_ALLOWED)
    return allowed.visible if allowed is not None else None


def hides_env(request: web.Request) -> bool:
    """Whether inspections are shown to the client without the values of environment variables."""
    allowed = request.get(_ALLOWED)
    return allowed is not None and allowed.hides_env


class _Made(msgspec.Struct):
    id: str = msgspec.field(name="Id")


@web.middleware
async def authorise(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask the plugins; refuse what they refuse, and what not everybody would read in the same way."""
    agent = agent_of(request)
    if next(agent.plugins.implementing("api_request"), None) is None:
        return await handler(request)
    started = time.monotonic()
    asked = ApiRequest(client=client_of(request), method=request.method, path=request.rel_url.raw_path)
    response: web.StreamResponse | None = None
    status, error, judged = _GONE, "", request
    try:
        asked = await read_request(request, asked.client)
        asked = await agent.plugins.ask("api_request", asked)
        judged = _as_judged(request, asked)
        response = await handler(judged)
        status = response.status
    except SkepError as failure:
        status, error = error_status(failure), str(failure)
        raise
    except web.HTTPException as failure:
        status, error = failure.status, failure.reason
        raise
    except ConnectionError:
        raise
    except Exception as failure:
        status, error = 500, type(failure).__name__
        raise
    finally:
        if status == _GONE:  # a client may know the end before the handler is through
            status = judged.get(ANSWERED, _GONE)
        told = _told(agent, asked, response, status, error, time.monotonic() - started)
        await asyncio.shield(asyncio.ensure_future(agent.plugins.ask("api_answered", told)))
    return response


def _told(
    agent: Agent, asked: ApiRequest, response: web.StreamResponse | None, status: int, error: str, seconds: float
) -> ApiAnswered:
    """What became of it; for a container that was created with its id and node."""
    created, node = "", asked.node
    if status == _CREATED and asked.path == "/containers/create" and isinstance(response, web.Response):
        made = msgspec.json.decode(bytes(response.body), type=_Made)  # type: ignore[arg-type] # it is no payload
        created = made.id
        node = next((each.node for each in agent.cluster.state.with_id(created) if each.id == created), "")
    return ApiAnswered(request=asked, status=status, seconds=seconds, error=error, created=created, node=node)


def _as_judged(request: web.Request, allowed: ApiRequest) -> web.Request:
    """The request for its handler: path, query and body as they were allowed, encoded anew."""
    if allowed.is_upload:
        clone = request.clone(rel_url=judged_url(allowed))
    else:
        body = b"" if allowed.body is None else msgspec.json.encode(allowed.body)
        clone = request.clone(rel_url=judged_url(allowed), headers=without_body(request.headers, len(body)))
        # aiohttp has no other way to give a request another body, and nobody must reach the bytes that came
        clone._payload = _payload(request, body)
    clone[_ALLOWED] = allowed
    return clone


def _payload(request: web.Request, body: bytes) -> StreamReader:
    payload = StreamReader(request.protocol, max(len(body), 1), loop=request._loop)
    payload.feed_data(body)
    payload.feed_eof()
    return payload
