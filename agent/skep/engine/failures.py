"""What went wrong on the way to an engine, as errors that name the engine, the call and the cause."""

from __future__ import annotations

import asyncio
import ssl

import aiohttp
import msgspec

from skep.errors import (
    EngineError,
    EngineProtocolError,
    EngineTimeoutError,
    EngineUnreachableError,
    SkepError,
)

__all__ = ["MAX_MESSAGE", "engine_error", "translate"]

MAX_MESSAGE = 4096
"""Characters of an engine's error message that are kept."""


class _Body(msgspec.Struct):
    message: str


def engine_error(status: int, body: bytes) -> EngineError:
    """The error that an engine's answer with `status` >= 400 and this body tells of."""
    try:
        message = msgspec.json.decode(body, type=_Body).message
    except (msgspec.MsgspecError, ValueError, RecursionError):
        message = body[: 4 * MAX_MESSAGE].decode("utf-8", "replace")
    message = message.strip() or f"the engine answered with status {status} and no message"
    return EngineError(status, message if len(message) <= MAX_MESSAGE else message[:MAX_MESSAGE] + " …")


def translate(error: BaseException, where: str) -> SkepError | None:
    """The skep error for what aiohttp, asyncio or the system raised during the call `where`; None if it is none of theirs."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return EngineUnreachableError(f"{where}: no connection in time")
    if isinstance(error, TimeoutError):
        return EngineTimeoutError(f"{where}: no answer in time")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return EngineUnreachableError(f"{where}: its certificate is not accepted: {error.certificate_error}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return EngineUnreachableError(f"{where}: cannot connect: {_cause(error.os_error)}")
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.InvalidURL | asyncio.LimitOverrunError):
        return EngineProtocolError(f"{where}: the answer is not HTTP: {_cause(error)}")
    if isinstance(error, aiohttp.ClientError | OSError | asyncio.IncompleteReadError):
        return EngineUnreachableError(f"{where}: the connection broke: {_cause(error)}")
    return None


def _cause(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        text = error.reason or str(error)
    elif isinstance(error, aiohttp.ClientResponseError):
        text = error.message
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    else:
        text = str(error)
    return " ".join(text.split())[:300] or type(error).__name__
