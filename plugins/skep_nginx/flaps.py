"""Health that comes and goes: a container returns only after it was healthy for a time that grows with its flaps."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from skep import Container, Health

__all__ = ["Flaps"]


@dataclass(slots=True)
class _Track:
    started_at: float
    is_healthy: bool
    flaps: int = 0
    since: float = 0.0  # when it became healthy


class Flaps:
    """Counts how often each running container became unhealthy.

    After the first time it must have been healthy for `wait` seconds, after the second for twice as long, and so on up to `longest`. Who has been
    healthy for that time and `longest` more begins anew, and so does who is started anew.
    """

    def __init__(self, wait: float = 1.0, longest: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._wait = wait
        self._longest = longest
        self._clock = clock
        self._tracks: dict[str, _Track] = {}

    def note(self, container: Container) -> None:
        """Its state as it is now; costs nothing where there is no health check."""
        if container.health is Health.NONE:
            return
        now, track = self._clock(), self._tracks.get(container.id)
        is_healthy = container.health is Health.HEALTHY
        if track is None or track.started_at != container.started_at:
            self._tracks[container.id] = _Track(container.started_at, is_healthy, since=now)
            return
        if track.is_healthy and not is_healthy:
            if now - track.since >= self._needed(track) + self._longest:
                track.flaps = 0
            track.flaps += 1
        elif is_healthy and not track.is_healthy:
            track.since = now
        track.is_healthy = is_healthy

    def held(self, id_: str) -> float:
        """How many seconds a container that is healthy must be so for still; 0.0 for one that may have requests."""
        track = self._tracks.get(id_)
        if track is None or not track.flaps or not track.is_healthy:
            return 0.0
        return max(0.0, track.since + self._needed(track) - self._clock())

    def count(self, id_: str) -> int:
        """How often it became unhealthy lately."""
        track = self._tracks.get(id_)
        return track.flaps if track else 0

    def keep(self, ids: Collection[str]) -> None:
        """Forget all others."""
        for id_ in [each for each in self._tracks if each not in ids]:
            del self._tracks[id_]

    def _needed(self, track: _Track) -> float:
        return min(self._wait * 2.0 ** min(track.flaps - 1, 40), self._longest) if track.flaps else 0.0
