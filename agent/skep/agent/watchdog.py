"""Notices when the event loop stands still, and says who holds it: a thread looks on, as the loop itself cannot."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence

__all__ = ["Watchdog"]

_log = logging.getLogger("skep.watchdog")
_BEAT = 0.2  # seconds
_STALLED = 0.5


class Watchdog:
    """Of one event loop. `blame` is given the names of the modules whose code runs, innermost first, and the task's name; it names a plugin or ""."""

    def __init__(self, blame: Callable[[Sequence[str], str], str]) -> None:
        self._blame = blame
        self._beat = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._thread_id = threading.get_ident()
        self._end = threading.Event()
        self._seen = ""
        self.stalls = 0
        self.longest = 0.0
        """Seconds that the loop stood still at most."""

    async def run(self) -> None:
        """Watch until cancelled."""
        threading.Thread(target=self._look_on, name="skep watchdog", daemon=True).start()
        try:
            while True:
                self._beat = time.monotonic()
                await asyncio.sleep(_BEAT)
                self._measure(time.monotonic() - self._beat - _BEAT)
        finally:
            self._end.set()

    def _measure(self, lag: float) -> None:
        self.longest = max(self.longest, lag)
        if lag > _STALLED:
            self.stalls += 1
            _log.warning("the event loop stood still for %.1f s%s", lag, self._seen)
        self._seen = ""

    def _look_on(self) -> None:
        while not self._end.wait(_BEAT):
            if not self._seen and time.monotonic() - self._beat > _BEAT + _STALLED:
                self._seen = self._look() or ": by what is not known"
                _log.warning("the event loop stands still%s", self._seen)

    def _look(self) -> str:
        """Who holds the loop's thread now."""
        frame = innermost = sys._current_frames().get(self._thread_id)
        if innermost is None:
            return ""
        modules: list[str] = []
        while frame is not None:
            modules.append(str(frame.f_globals.get("__name__", "")))
            frame = frame.f_back
        try:
            task = asyncio.current_task(self._loop)
        except RuntimeError:
            task = None
        name = task.get_name() if task is not None else ""
        culprit = self._blame(modules, name)
        code = innermost.f_code
        place = f"{code.co_filename}, line {innermost.f_lineno}, in {code.co_qualname}"
        return f": {f'plugin {culprit}' if culprit else f'task {name!r}'} is at {place}"
