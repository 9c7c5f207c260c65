"""Containers that end and start again and again: after some starts one returns only when it has been up for a time that grows with them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from skep import Container, ContainerState

__all__ = ["Starts"]

_FREE = 3
_MOST = 32  # of one container, that are remembered


@dataclass(slots=True)
class _Track:
    started_at: float = 0.0
    is_up: bool = False
    times: deque[float] = field(default_factory=lambda: deque(maxlen=_MOST))
    until: float = 0.0


class Starts:
    """Counts how often each container began to run, unpaused ones too, within the last `window` seconds.

    The first three times it is in at once. After the fourth it must have been up for `wait` seconds, after the fifth for twice as long, and so
    on up to `window`.
    """

    def __init__(self, wait: float = 1.0, window: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._wait = wait
        self._window = window
        self._clock = clock
        self._tracks: dict[str, _Track] = {}

    def note(self, container: Container) -> None:
        """Its state as it is now; one that runs on costs next to nothing."""
        track = self._tracks.get(container.id)
        if track is None:
            track = self._tracks[container.id] = _Track()
        is_up = container.state is ContainerState.RUNNING
        if is_up and not (track.is_up and track.started_at == container.started_at):
            self._start(track)
        track.is_up, track.started_at = is_up, container.started_at

    def _start(self, track: _Track) -> None:
        now = self._clock()
        while track.times and track.times[0] <= now - self._window:
            track.times.popleft()
        track.times.append(now)
        over = len(track.times) - _FREE
        track.until = now + min(self._wait * 2.0 ** (over - 1), self._window) if over > 0 else 0.0

    def held(self, id_: str) -> float:
        """How many seconds a container must be up for still; 0.0 for one that may have requests, or is not up."""
        track = self._tracks.get(id_)
        return max(0.0, track.until - self._clock()) if track is not None and track.is_up and track.until else 0.0

    def count(self, id_: str) -> int:
        """How often it began to run lately."""
        track = self._tracks.get(id_)
        return len(track.times) if track else 0

    def keep(self, ids: Collection[str]) -> None:
        """Forget all others."""
        for id_ in [each for each in self._tracks if each not in ids]:
            del self._tracks[id_]

    def all_held(self) -> Iterable[float]:
        """The seconds of each that is held."""
        return (held for id_, track in self._tracks.items() if track.until and (held := self.held(id_)))
