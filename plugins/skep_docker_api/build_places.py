"""Where builds by BuildKit run: one build comes as several connections, and all of them must reach one engine.

The docker command opens a session and asks for the build at the same time, naming the session; buildx speaks to BuildKit itself, by a
connection that names nothing, and opens sessions beside it. So the build's request chooses the node, and whoever belongs to it waits for that.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from skep import ConflictError, RequestError

__all__ = ["BuildPlaces"]

_TO_START = 5.0  # seconds that a session, a context or a cancellation waits for its build
_BESIDE = 0.5  # the same for a session whose client speaks to BuildKit itself too: most likely it belongs to that
_KEPT = 3600.0  # seconds after which a client may be sent elsewhere
_MOST = 10_000  # of builds and sessions together, and of clients; the oldest are forgotten


class BuildPlaces:
    """The nodes of builds and sessions, by their ids, and of clients that speak to BuildKit itself."""

    def __init__(self) -> None:
        self._builds: OrderedDict[str, asyncio.Future[str]] = OrderedDict()
        self._clients: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def put(self, node: str, build: str, session: str) -> None:
        """Remember the node of a build, and with it of its session. Raises ConflictError where it was started before."""
        if build and self._expected(f"build {build}").done():
            raise ConflictError("build already started")
        for key in [f"{kind} {id_}" for kind, id_ in (("build", build), ("session", session)) if id_]:
            future = self._expected(key)
            if not future.done():
                future.set_result(node)

    async def of_build(self, build: str) -> str:
        """The node of a build that is about to start. Raises RequestError (400) where it does not within 5 s."""
        return await self._known(f"build {build}", _TO_START)

    async def of_session(self, session: str, client: str) -> str:
        """The node of a session: that of its build, else the one where its client speaks to BuildKit itself. Raises as `of_build`."""
        beside = self._of_client(client)
        try:
            return await self._known(f"session {session}", _BESIDE if beside else _TO_START)
        except RequestError:
            if beside is None:
                raise
            return beside

    def of_client(self, client: str, is_healthy: Callable[[str], bool], choose: Callable[[], str]) -> str:
        """The node where a client speaks to BuildKit itself: the same as before if it answers, for there is its cache."""
        node = self._of_client(client)
        if node is None or not is_healthy(node):
            node = choose()
        self._clients[client] = (node, time.monotonic())
        self._clients.move_to_end(client)
        if len(self._clients) > _MOST:
            self._clients.popitem(last=False)
        return node

    def _of_client(self, client: str) -> str | None:
        node, used = self._clients.get(client, ("", 0.0))
        return node if node and time.monotonic() - used < _KEPT else None

    async def _known(self, key: str, seconds: float) -> str:
        future = self._expected(key)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            raise RequestError("timeout waiting for build to start") from None

    def _expected(self, key: str) -> asyncio.Future[str]:
        future = self._builds.get(key)
        if future is None:
            future = self._builds[key] = asyncio.get_running_loop().create_future()
            if len(self._builds) > _MOST:
                self._builds.popitem(last=False)
        return future
