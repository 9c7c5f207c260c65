"""What one client may take of the endpoint at a time, so that the others have it too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from skep import RequestError
from skep_docker_api.clients import client_of

__all__ = ["limit_requests"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def limit_requests(most: int, setting: str) -> Middleware:
    """Refuse, by status 429, requests of a client that has `most` under way; 0 refuses none.

    Streams (events, logs, statistics, attached terminals) are under way for as long as they last. A client is known by its certificate,
    its user or its address. `setting` is the key that says how many.
    """
    under_way = Counter[str]()

    @web.middleware
    async def limited(request: web.Request, handler: Handler) -> web.StreamResponse:
        client = str(client_of(request))
        if most and under_way[client] >= most:
            raise RequestError(
                f"client {client or 'on this machine'} has {most} requests under way, streams such as events and logs among them: "
                f"end some, or have {setting} raised",
                status=429,
            )
        under_way[client] += 1
        try:
            return await handler(request)
        finally:
            under_way[client] -= 1
            if not under_way[client]:
                del under_way[client]

    return limited
