"""What is kept of one plugin: its state, its counters, its log."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from skep.settings import PluginTable

__all__ = ["HookCounters", "PluginState", "PluginStatus", "Record"]

_IN_A_ROW = 20  # failures, until it is benched
_FIRST_BENCH = 10.0  # seconds
_LONGEST_BENCH = 300.0
_LOG_BURST = 5  # errors of a plugin that are logged at once
_LOG_EVERY = 10.0  # seconds, for each one after these


class PluginState(StrEnum):
    """What has become of a plugin."""

    INSTALLED = "installed"
    """It could run; the settings do not name it."""
    DISABLED = "disabled"
    """The settings say that it should not run."""
    ENABLED = "enabled"
    """It is loaded and has not started."""
    RUNNING = "running"
    """It works."""
    BENCHED = "benched"
    """It failed many times in a row, and is left alone for a while."""
    BROKEN = "broken"
    """It could not be loaded or started, or stopped by itself."""


@dataclass(slots=True)
class HookCounters:
    """Of one hook of one plugin: calls, those that failed, those of them that were cut off, seconds spent (waiting included)."""

    calls: int = 0
    errors: int = 0
    timeouts: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """A plugin at one moment, for people. `why` says what is wrong; `dropped` counts events that it was too slow for."""

    name: str
    origin: str
    state: PluginState
    why: str = ""
    hooks: dict[str, HookCounters] = field(default_factory=dict)
    waiting: int = 0
    dropped: int = 0
    warnings: tuple[str, ...] = ()


class Record:
    """One plugin of the settings. `plugin` is None where it could not be made."""

    def __init__(self, name: str, origin: str, table: PluginTable, plugin: Any = None) -> None:
        self.name = name
        self.origin = origin
        self.table = table
        self.plugin = plugin
        self.log = logging.getLogger(f"skep.plugins.{name}")
        if table.log_level:
            self.log.setLevel(table.log_level.upper())
        self.state = PluginState.ENABLED
        self.why = ""
        self.warnings: list[str] = []
        self.hooks: dict[str, HookCounters] = {}
        self.needs_start = False
        self.waiting = 0
        self.dropped = 0
        self._in_a_row = 0
        self._bench = _FIRST_BENCH
        self._benched_until = 0.0
        self._log_credit = float(_LOG_BURST)
        self._log_at = time.monotonic()
        self._unlogged = 0

    def counters(self, hook: str) -> HookCounters:
        """The counters of one of its hooks."""
        return self.hooks.setdefault(hook, HookCounters())

    @property
    def is_running(self) -> bool:
        """Whether its hooks may be called."""
        return self.state is PluginState.RUNNING or (self.state is PluginState.ENABLED and not self.needs_start)

    def start(self) -> None:
        """Note that it has started."""
        self.state, self.why = PluginState.RUNNING, ""

    def fail(self, why: str) -> None:
        """Note that it does not work, and why."""
        self.state, self.why = PluginState.BROKEN, why

    def succeeded(self) -> None:
        """Note a call that went well."""
        self._in_a_row = 0
        self._bench = _FIRST_BENCH

    def failed(self, hook: str, error: BaseException, *, timed_out: bool = False) -> None:
        """Note a call that failed: count it, log it, and bench the plugin if it does nothing else."""
        counters = self.counters(hook)
        counters.errors += 1
        counters.timeouts += timed_out
        self._in_a_row += 1
        text = f"took longer than {self.table.timeout:g} s" if timed_out else f"{type(error).__name__}: {error}"
        self._complain(f"{hook} failed: {text}", None if timed_out else error)
        if self._in_a_row >= _IN_A_ROW and self.state is PluginState.RUNNING:
            self.state = PluginState.BENCHED
            self.why = f"failed {self._in_a_row} times in a row, at last in {hook}: {text}"
            self._benched_until = time.monotonic() + self._bench
            self.log.error("%s; it is left alone for %g s", self.why, self._bench)
            self._bench = min(self._bench * 2, _LONGEST_BENCH)

    def benched_for(self) -> float:
        """Seconds until it is tried again; 0 where it is not benched."""
        if self.state is not PluginState.BENCHED:
            return 0.0
        left = self._benched_until - time.monotonic()
        if left > 0:
            return left
        self.start()
        self._in_a_row = _IN_A_ROW - 1  # one more failure benches it again, for longer
        return 0.0

    def _complain(self, text: str, error: BaseException | None) -> None:
        """Log, but no flood: some at once, then one now and again, which says how many were left out."""
        now = time.monotonic()
        self._log_credit = min(_LOG_BURST, self._log_credit + (now - self._log_at) / _LOG_EVERY)
        self._log_at = now
        if self._log_credit < 1:
            self._unlogged += 1
            return
        self._log_credit -= 1
        more = f" ({self._unlogged} more were not logged)" if self._unlogged else ""
        self._unlogged = 0
        self.log.error("%s%s", text, more, exc_info=error)

    def status(self) -> PluginStatus:
        """It as it is now."""
        self.benched_for()
        return PluginStatus(
            self.name, self.origin, self.state, self.why, self.hooks, self.waiting, self.dropped, tuple(self.warnings)
        )
