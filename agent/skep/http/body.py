"""Bodies of requests that are held in memory."""

from __future__ import annotations

import asyncio

from aiohttp import web

from skep.errors import RequestError

__all__ = ["read_body"]


BODY_SECONDS = 60.0
"""Seconds that a body has to come in, all of it."""


async def read_body(request: web.BaseRequest, most: int, expected: str = "") -> bytes:
    """A request's body of at most `most` bytes. Raises RequestError (413) for a larger one, saying what is `expected`, and (408) for one
    that has not come within a minute."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > most:
                    advice = f"; expected {expected}" if expected else ""
                    raise RequestError(f"the body has more than {most} bytes{advice}", status=413)
    except TimeoutError:
        raise RequestError(
            f"of the body {len(body)} bytes came within {BODY_SECONDS:g} s, and not its end", status=408
        ) from None
    return bytes(body)
