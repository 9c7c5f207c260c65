"""Many hints, few actions."""

from __future__ import annotations

import asyncio

__all__ = ["Debounce"]


class Debounce:
    """Waits until hints have stopped for `quiet` seconds, but no longer than `longest` seconds after the first."""

    def __init__(self, quiet: float, longest: float) -> None:
        self._quiet = quiet
        self._longest = longest
        self._first = self._last = 0.0
        self._marked = asyncio.Event()

    def mark(self) -> None:
        """Something may have changed."""
        now = asyncio.get_running_loop().time()
        if not self._marked.is_set():
            self._first = now
            self._marked.set()
        self._last = now

    async def wait(self, timeout: float) -> None:
        """Return when it is time to look: after hints, or after `timeout` seconds without one."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                await self._marked.wait()
        except TimeoutError:
            return
        while (due := min(self._last + self._quiet, self._first + self._longest)) > loop.time():  # noqa: ASYNC110 - hints move the end
            await asyncio.sleep(due - loop.time())
        self._marked.clear()
