"""Python's collector of garbage, set for a process that holds the state of a large cluster.

With a thousand nodes there are half a million objects to go through, which takes half a second in which nothing else happens; and Python
does so again and again while they become more. Nearly all of them live as long as their node. So what has survived two collections is set
aside, unseen by the next ones, and all is gone through only now and then, when much has been set aside since. What is in no cycle, as the
state itself, is freed at once, as ever. This is for skep's own process: an agent that is embedded leaves its host's collector alone.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from typing import Any

__all__ = ["Collector"]

_log = logging.getLogger("skep")

YOUNG = 1000
"""Objects more than before, at which the young ones are gone through; of ten times as many, that takes a few milliseconds."""
NEVER = 2**30
PAUSE = 600.0
"""Seconds between two looks at whether all is to be gone through."""
MANY = 100_000
"""Objects that are always allowed to be set aside; beyond, half as many as the last time."""


class Collector:
    """Set while it is entered; `run` is to be run beside."""

    def __init__(self) -> None:
        self._before = gc.get_threshold()
        self._last = 0
        """Objects that were left when all were last gone through."""

    def __enter__(self) -> Collector:
        gc.set_threshold(YOUNG, 10, NEVER)
        gc.callbacks.append(self._set_aside)
        gc.freeze()
        self._last = gc.get_freeze_count()
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._set_aside)
        gc.set_threshold(*self._before)
        gc.unfreeze()

    @staticmethod
    def _set_aside(phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 1:
            gc.freeze()

    async def run(self) -> None:
        """Go through all now and then, until cancelled."""
        while True:
            await asyncio.sleep(PAUSE)
            self.look()

    def look(self) -> None:
        """Go through all if much was set aside since the last time."""
        if gc.get_freeze_count() <= 1.5 * self._last + MANY:
            return
        began = time.perf_counter()
        gc.unfreeze()
        found = gc.collect()
        gc.freeze()
        self._last = gc.get_freeze_count()
        _log.debug("%s objects were garbage; to find them took %.2f s", found, time.perf_counter() - began)
