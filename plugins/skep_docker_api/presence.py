"""Whether a client is still there while nobody reads what it sends.

A body that the engine does not take is not read on, and of a connection that is not read asyncio does not tell the end. (Nor does the
kernel, where the end waits behind more than its buffers hold.)
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

__all__ = ["while_present"]

_LOOK_EVERY = 0.5  # seconds
_RDHUP = getattr(select, "POLLRDHUP", 0)  # Linux
_OVER = _RDHUP | select.POLLHUP | select.POLLERR | select.POLLNVAL


@asynccontextmanager
async def while_present(request: web.BaseRequest) -> AsyncIterator[None]:
    """A block that ends with ConnectionResetError when the client goes away before its body was read."""
    if not request.body_exists or request.content.is_eof():
        yield
        return
    try:
        async with asyncio.timeout(None) as scope:
            watching = asyncio.create_task(_watch(request, scope), name="watch client")
            try:
                yield
            finally:
                watching.cancel()
    except TimeoutError as error:
        if not scope.expired():
            raise
        raise ConnectionResetError("the client went away while it sent its body") from error


async def _watch(request: web.BaseRequest, scope: asyncio.Timeout) -> None:
    while not request.content.is_eof():
        await asyncio.sleep(_LOOK_EVERY)
        if _has_gone(request):
            scope.reschedule(asyncio.get_running_loop().time())
            return


def _has_gone(request: web.BaseRequest) -> bool:
    sock = request.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock.fileno(), _RDHUP)
    return any(event & _OVER for _, event in poll.poll(0))
