"""When an authority is asked: in time, never all at once, and slower and slower where it says no."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["Failure", "Pace", "Window", "renew_at"]

HOUR = 3600.0
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Pace:
    """The shortest and the longest wait after a failure, in seconds, by its kind; each failure in a row makes it longer.

    Let's Encrypt allows five failed validations of a name an hour, and asks that clients whose orders fail wait up to a day.
    """

    away: tuple[float, float] = (60.0, HOUR)  # the authority does not answer
    failed: tuple[float, float] = (900.0, DAY)  # it does not find the challenge
    refused: tuple[float, float] = (DAY / 2, DAY)  # it does not certify such a name
    limited: tuple[float, float] = (HOUR, DAY)  # it has had enough of us

    def wait(self, kind: str, failures: int, seed: str) -> float:
        """Seconds until the next try after this many failures; up to a fifth more, by the seed, so that not all come together."""
        first, most = getattr(self, kind)
        return float(min(first * 2.0 ** min(2 * (failures - 1), 40), most) * (1 + _share(seed) / 5))


Failure = str
"""`away`, `failed`, `refused` or `limited`."""


def renew_at(not_before: float, not_after: float, left: float, seed: str) -> float:
    """When a certificate is renewed: while `left` of its lifetime is left, a little earlier by the seed; seconds since the epoch."""
    lifetime = not_after - not_before
    return not_after - lifetime * left - lifetime * left / 10 * _share(seed)


def _share(seed: str) -> float:
    """From 0 up to 1; always the same for a seed, so that a restart draws no new lot."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4]) / 2**32


@dataclass
class Window:
    """At most `most` orders within an hour. Times are seconds since the epoch, as those of the orders before a restart count too."""

    most: int
    _times: list[float] = field(default_factory=list)

    def seed(self, times: Iterable[float]) -> None:
        """Those before a restart."""
        self._times += times

    def take(self, now: float) -> bool:
        """Whether one more is allowed now; it counts then."""
        self._times = [time for time in self._times if now - HOUR < time <= now]
        if len(self._times) >= self.most:
            return False
        self._times.append(now)
        return True
