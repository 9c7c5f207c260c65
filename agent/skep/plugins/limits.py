"""Time limits that a plugin cannot defeat: what does not end when it is cancelled is left behind, not waited for."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["GRACE", "CutOffError", "StoppedError", "end", "invoke", "leave_behind", "limited"]

GRACE = 1.0
"""Seconds that a cancelled call has for its cleaning up."""


class CutOffError(Exception):
    """A call took too long. `left_behind`: it did not even end when it was cancelled."""

    def __init__(self, seconds: float, *, left_behind: bool = False) -> None:
        self.left_behind = left_behind
        tail = ", and did not end when it was cancelled" if left_behind else ""
        super().__init__(f"took longer than {seconds:g} s{tail}")


class StoppedError(Exception):
    """A plugin tried to end the program, or was cancelled by itself."""


async def invoke(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a plugin's function and await what it returns. What would end the program or the caller becomes StoppedError."""
    try:
        answer = function(*arguments)
        return await answer if inspect.isawaitable(answer) else answer
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise StoppedError("cancelled, but not by skep") from error
    except (Exception, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise StoppedError(f"{type(error).__name__}: it tried to end the program") from error


async def limited(seconds: float, function: Callable[..., Any], *arguments: Any, name: str) -> Any:
    """Call a plugin's function in a task of its own. Raises what it raises, and CutOffError after `seconds`."""
    task = asyncio.create_task(invoke(function, *arguments), name=name)
    try:
        await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError:
        await end(task, min(seconds, GRACE))
        raise
    if task.done():
        return task.result()
    raise CutOffError(seconds, left_behind=not await end(task, min(seconds, GRACE)))


_left_behind: set[asyncio.Task[Any]] = set()


async def end(task: asyncio.Task[Any], seconds: float) -> bool:
    """Cancel a task and wait for its end, for that long at most; tell whether it ended. What it raises is dropped."""
    task.cancel()
    if not task.done():
        try:
            await asyncio.wait([task], timeout=seconds)
        finally:
            if not task.done():
                leave_behind(task)
    if task.done():
        _read(task)
        return True
    return False


def leave_behind(task: asyncio.Task[Any]) -> None:
    """Wait no longer for a task; keep it from being collected while it runs, and drop what it raises."""
    _left_behind.add(task)
    task.add_done_callback(_left_behind.discard)
    task.add_done_callback(_read)


def _read(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # noted, so that the loop does not complain
