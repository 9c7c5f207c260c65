"""Keeps one engine's known state true, and tells the differences."""

from skep.watch.common import Common
from skep.watch.counters import WatchCounters
from skep.watch.transitions import transitions
from skep.watch.view import Snapshot, View
from skep.watch.watch import Watch

__all__ = ["Common", "Snapshot", "View", "Watch", "WatchCounters", "transitions"]
