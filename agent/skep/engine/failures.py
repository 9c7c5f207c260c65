"""What went wrong on the way to an engine, as errors that name the engine, the call and the cause."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
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

__all__ = ["MAX_ERROR_BODY", "NETWORK_ERRORS", "engine_error", "no_connection", "translate"]

MAX_ERROR_BODY = 2**16
"""Bytes of an error's body that are read."""

NETWORK_ERRORS = (aiohttp.ClientError, OSError, EOFError, asyncio.LimitOverrunError)
"""All that `translate` knows; TimeoutError is an OSError."""

_MAX_MESSAGE = 4096


class _Body(msgspec.Struct):
    message: str


def engine_error(status: int, body: bytes) -> EngineError:
    """The error that an engine's answer tells of; its message has at most 4096 characters."""
    try:
        message = msgspec.json.decode(body, type=_Body).message
    except (msgspec.MsgspecError, ValueError, RecursionError):
        message = body[: 4 * _MAX_MESSAGE].decode("utf-8", "replace")
    message = message.strip() or f"the engine answered with status {status} and no message"
    return EngineError(status, message if len(message) <= _MAX_MESSAGE else message[: _MAX_MESSAGE - 2] + " …")


def translate(error: BaseException, where: str) -> SkepError:
    """The skep error for one of NETWORK_ERRORS that was raised during the call `where`."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return EngineUnreachableError(f"{where}: no connection in time", sent=False)
    if isinstance(error, TimeoutError):
        return EngineTimeoutError(f"{where}: no answer in time")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return no_connection(error.certificate_error, where)
    if isinstance(error, aiohttp.ClientConnectorError):
        return no_connection(error.os_error, where)
    if isinstance(error, aiohttp.ClientResponseError | asyncio.LimitOverrunError):
        return EngineProtocolError(f"{where}: the answer is not HTTP: {_cause(error)}")
    return EngineUnreachableError(f"{where}: the connection broke: {_cause(error)}")


def no_connection(error: Exception, where: str) -> EngineUnreachableError:
    """The skep error for what kept a connection from being made for the call `where`."""
    if isinstance(error, TimeoutError):
        return EngineUnreachableError(f"{where}: no connection in time", sent=False)
    if isinstance(error, ssl.SSLCertVerificationError):
        return EngineUnreachableError(f"{where}: its certificate is refused: {error.verify_message}", sent=False)
    return EngineUnreachableError(f"{where}: cannot connect: {_cause(error)}", sent=False)


def _cause(error: BaseException) -> str:
    """The error in a few words, on one line."""
    if isinstance(error, ssl.SSLError):
        text = f"TLS: {error.reason}"
    elif isinstance(error, aiohttp.ClientResponseError):
        text = error.message
    elif isinstance(error, OSError) and error.errno in errno.errorcode and not isinstance(error, socket.gaierror):
        text = os.strerror(error.errno or 0)  # asyncio's own text has the address again, and not what the system said
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    else:
        text = str(error)
    return " ".join(text.split())[:300] or type(error).__name__
