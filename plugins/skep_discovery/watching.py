"""Asking again and again, for backends that cannot be told of changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from skep import TemporaryError

__all__ = ["poll"]

_log = logging.getLogger("skep.plugins.discovery")


async def poll(ask: Callable[[], Awaitable[list[str]]], heartbeat: float) -> AsyncIterator[Sequence[str]]:
    """Yield what `ask` answers now, and each other answer later; asks every `heartbeat` seconds.

    Raises TemporaryError when the first question fails. Later failures are logged, each once, and the last good answer stays.
    """
    known = await ask()
    yield known
    failure = ""
    while True:
        await asyncio.sleep(heartbeat)
        try:
            found = await ask()
        except TemporaryError as error:
            if str(error) != failure:
                failure = str(error)
                _log.warning("%s; the last list, of %d engines, stays", failure, len(known))
            continue
        if failure:
            failure = ""
            _log.info("discovery answers again")
        if found != known:
            known = found
            yield known
