"""What a watch counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WatchCounters"]


@dataclass(slots=True)
class WatchCounters:
    """Of one engine, since it became a member.

    sessions: times that its state was read as a whole and followed from then on; the first one is no reconnection, all others are.
    resyncs: periodic listings. gaps: changes that only these found, as no event told of them.
    skipped: events that could not be read, or were thrown away because nobody took them up in time.
    read_errors: listings and inspections that failed and were tried again. crashes: failures of our own, each logged with its traceback.
    """

    sessions: int = 0
    resyncs: int = 0
    gaps: int = 0
    events: int = 0
    skipped: int = 0
    read_errors: int = 0
    crashes: int = 0

    @property
    def reconnects(self) -> int:
        """Sessions but the first."""
        return max(0, self.sessions - 1)
