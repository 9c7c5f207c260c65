"""`Pace`: no more calls to a service than AWS likes, and pauses between tries."""

from __future__ import annotations

import asyncio
import random
import time

__all__ = ["Pace", "pause"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 8.0


class Pace:
    """A bucket of tokens: so many calls a second, and as many at once as two seconds give."""

    def __init__(self, rate: float) -> None:
        self._each = 1.0 / rate
        self._burst = max(0.0, 2.0 - self._each)  # seconds that a pause saves up
        self._free_at = 0.0

    async def wait(self) -> None:
        """Wait for a token, in the order of asking. Whoever is cancelled meanwhile gives it back."""
        now = time.monotonic()
        self._free_at = max(self._free_at, now - self._burst)
        delay = self._free_at - now
        self._free_at += self._each
        if delay > 0:
            try:
                await asyncio.sleep(delay)
            except BaseException:
                self._free_at -= self._each
                raise

    def slow_down(self, seconds: float) -> None:
        """AWS says that it was too much: let no call begin for so long."""
        self._free_at = max(self._free_at, time.monotonic() + seconds)


def pause(tries: int) -> float:
    """Seconds to wait after so many tries that failed: any time up to a limit that doubles, so that clients do not meet again."""
    return random.uniform(0, min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**tries))  # noqa: S311
