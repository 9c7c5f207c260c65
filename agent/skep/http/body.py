"""Bodies of requests that are held in memory."""

from __future__ import annotations

from aiohttp import web

from skep.errors import RequestError

__all__ = ["read_body"]


async def read_body(request: web.BaseRequest, most: int, expected: str = "") -> bytes:
    """A request's body of at most `most` bytes. Raises RequestError (413) for a larger one, saying what is `expected`."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > most:
            advice = f"; expected {expected}" if expected else ""
            raise RequestError(f"the body has more than {most} bytes{advice}", status=413)
    return bytes(body)
