"""Calls that a node has not answered yet: they end when the node is found not to answer, instead of waiting for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from skep.errors import TemporaryError
from skep.models import Node

__all__ = ["Pending"]


class Pending:
    """The calls under way, by node."""

    def __init__(self) -> None:
        self._scopes: dict[str, set[asyncio.Timeout]] = {}

    @asynccontextmanager
    async def on(self, node: str, what: str) -> AsyncIterator[None]:
        """A block that waits for a node. Raises TemporaryError (503) within it when the node turns unhealthy; `what` is waited for."""
        scopes = self._scopes.setdefault(node, set())
        try:
            async with asyncio.timeout(None) as scope:
                scopes.add(scope)
                try:
                    yield
                finally:
                    scopes.discard(scope)
                    if not scopes and self._scopes.get(node) is scopes:
                        del self._scopes[node]
        except TimeoutError:
            if not scope.expired():
                raise
            raise TemporaryError(
                f"{what}: node {node} stopped answering before it had done that; it may still do it, or have done it"
            ) from None

    def give_up(self, node: Node) -> None:
        """End the calls under way to a node."""
        now = asyncio.get_running_loop().time()
        for scope in self._scopes.get(node.name, ()):
            if not scope.expired():
                scope.reschedule(now)
