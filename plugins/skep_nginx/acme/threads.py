"""Calls of a library that blocks, each in a thread that nothing waits for when it is late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(function: Callable[[], T], name: str) -> T:
    """Call it in a daemon thread. Cancelled, this returns at once; the thread ends by its own time limits, and holds no exit up."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(error: BaseException | None, result: T | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        error: BaseException | None = None
        result: T | None = None
        try:
            result = function()
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, error, result)
        except RuntimeError:  # the loop is closed: nobody waits
            return

    threading.Thread(target=work, name=name, daemon=True).start()
    return await future
