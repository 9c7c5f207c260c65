"""One upload for several engines: none gets ahead of the slowest by more than a little, and none that ends early breaks the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from skep import EngineTimeoutError

__all__ = ["Branch", "fan_out"]

_AHEAD = 4
"""Chunks that the fastest may be ahead of the slowest."""


class Branch:
    """One engine's copy; iterate it for the bytes. `close` it when the engine takes no more: the others go on."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_AHEAD)
        self._closed = False
        self._error: Exception | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._queue.get()) is not None:
            yield chunk
        if self._error is not None:
            raise self._error

    async def put(self, chunk: bytes | None, stall: float) -> None:
        """Hand on a chunk, None for the end. An engine that takes nothing for `stall` seconds is given up."""
        if self._closed:
            return
        try:
            async with asyncio.timeout(stall):
                await self._queue.put(chunk)
        except TimeoutError:
            self.fail(EngineTimeoutError(f"node {self.node}: took nothing of the upload for {stall:g} s"))

    def fail(self, error: Exception) -> None:
        """End this copy with an error."""
        self._error = error
        self.close()
        self._queue.put_nowait(None)

    def close(self) -> None:
        """Take nothing more."""
        self._closed = True
        while not self._queue.empty():
            self._queue.get_nowait()


async def fan_out(source: AsyncIterator[bytes], branches: Iterable[Branch], *, stall: float = 60.0) -> None:
    """Copy the source into all branches; read it to its end even when none takes it, so that its sender gets an answer.

    Where the source fails, each branch fails with it, so that no engine takes a part for the whole.
    """
    branches = list(branches)
    try:
        async for chunk in source:
            for branch in branches:
                await branch.put(chunk, stall)
    except Exception as error:
        for branch in branches:
            branch.fail(error)
        raise
    for branch in branches:
        await branch.put(None, stall)
