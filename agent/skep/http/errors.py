"""Errors as a Docker API client knows them: a JSON object with a `message`, and the right status."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from skep.errors import (
    EngineError,
    EngineTimeoutError,
    ExpressionError,
    RequestError,
    SkepError,
    TemporaryError,
)

__all__ = ["error_middleware", "error_response", "error_status"]

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def error_status(error: BaseException) -> int:
    """The HTTP status for an error.

    That of the engine or the request; 504 for no answer in time, 503 for what else will pass, 400 for
    expressions, 500 for the rest.
    """
    if isinstance(error, EngineError):
        return error.status if 400 <= error.status <= 599 else 502
    if isinstance(error, RequestError | web.HTTPException):
        return error.status
    if isinstance(error, EngineTimeoutError):
        return 504
    if isinstance(error, TemporaryError):
        return 503
    return 400 if isinstance(error, ExpressionError) else 500


def error_response(error: BaseException) -> web.Response:
    """The answer for an error.

    What is not a SkepError is told as "internal error" only: it may hold secrets.
    """
    headers = {}
    if isinstance(error, SkepError):
        message = str(error)
    elif isinstance(error, web.HTTPException):
        message = error.text or error.reason
        headers = {key: value for key, value in error.headers.items() if key in ("Allow", "Retry-After")}
    else:
        message = "internal error; the log of skep says more"
    if isinstance(error, TemporaryError) and error.delay is not None:
        headers["Retry-After"] = str(math.ceil(error.delay))
    body = msgspec.json.encode({"message": message.encode("utf-8", "replace").decode()})
    return web.Response(status=error_status(error), body=body, headers=headers, content_type="application/json")


@web.middleware
async def error_middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what a handler raises by `error_response`; a traceback goes to the log and nowhere else.

    An answer that has begun is cut off instead, so that the client cannot take it for whole.
    """
    try:
        return await handler(request)
    except ConnectionError:
        raise  # the client has gone; nobody is left to be told
    except web.HTTPException as error:
        if error.status < 400:
            raise
        failure: Exception = error
    except SkepError as error:
        if error_status(error) >= 500:
            _log.warning("%s %s: %s", request.method, request.rel_url.raw_path, error)
        failure = error
    except Exception as error:
        _log.exception("%s %s failed", request.method, request.rel_url.raw_path)
        failure = error
    if _has_begun(request):
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the answer had begun when the handler failed") from failure
    return error_response(failure)


def _has_begun(request: web.Request) -> bool:
    """Whether the client was sent anything yet, or has taken the connection over, or is gone."""
    transport = request.transport
    taken = transport is None or transport.get_protocol() is not request.protocol
    return taken or request.writer.output_size > 0
