"""Pulling the image that a node lacks for a container that is being created there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import aiohttp
import msgspec

from skep.engine import Engine
from skep.engine.failures import MAX_ERROR_BODY, engine_error
from skep.errors import EngineError, EngineTimeoutError
from skep.models import Image, split_reference

__all__ = ["holds_image", "is_missing_image", "pull_image", "read_report"]

_IDLE = 300.0  # seconds; registries are slow, but engines tell of their progress all the time
_LONGEST_LINE = 2**16  # bytes
_ID = re.compile(r"(sha256:)?[0-9a-f]{64}", re.ASCII)


class _Line(msgspec.Struct):
    error: str = ""


def is_missing_image(error: EngineError) -> bool:
    """Whether an engine refuses a create request for want of its image; it says 404 also of networks and linked containers."""
    return error.status == 404 and "no such image" in error.message.lower()


def holds_image(image: Image, reference: str) -> bool:
    """Whether a create request that names `reference` would find this image."""
    if reference in (image.id, image.id.removeprefix("sha256:")):
        return True
    return _normal(reference) in map(_normal, (*image.tags, *image.digests))


def _normal(reference: str) -> str:
    """As engines store it: without Docker Hub's own names, and with a tag."""
    for prefix in ("index.docker.io/", "docker.io/", "library/"):
        reference = reference.removeprefix(prefix)
    repository, tag = split_reference(reference)
    if "@" in reference:  # the digest alone decides
        return f"{split_reference(repository)[0]}@{tag}"
    return reference if tag else f"{reference}:latest"


async def pull_image(engine: Engine, reference: str, *, platform: str = "", auth: str = "") -> None:
    """Let the engine pull, and return when it has. Raises EngineError with its words, EngineTimeoutError after 5 minutes of silence."""
    if not reference or _ID.fullmatch(reference):
        raise EngineError(404, "an image's id cannot be pulled")
    repository, tag = split_reference(reference)
    if "@" in reference:
        repository = split_reference(repository)[0]
    query = {"fromImage": repository, "tag": tag or "latest", "platform": platform or None}
    headers = {"X-Registry-Auth": auth} if auth else None
    async with engine.stream("POST", "/images/create", query=query, headers=headers, timeout=_IDLE) as response:
        await read_report(response)


async def read_report(response: aiohttp.ClientResponse) -> None:
    """Read what an engine reports of an image that comes to it. Raises EngineError with its words, EngineTimeoutError as `pull_image`."""
    if response.status >= 300:
        raise engine_error(response.status, await response.content.read(MAX_ERROR_BODY))
    async for line in _lines(response.content.iter_any()):
        if b'"error"' in line and (failed := _error(line)):
            raise EngineError(404, failed)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    while True:
        try:
            async with asyncio.timeout(_IDLE):
                chunk = await anext(chunks, None)
        except TimeoutError:
            raise EngineTimeoutError(f"no progress for {_IDLE:.0f} seconds") from None
        if chunk is None:
            break
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[-_LONGEST_LINE:]
        for line in lines:
            yield line
    yield rest


def _error(line: bytes) -> str:
    try:
        return msgspec.json.decode(line, type=_Line).error
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
