"""What is known of one env file while the agent runs."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from skep_envfile.settings import FileSettings
from skep_envfile.values import Gathered

__all__ = ["FileState", "Tracked"]

FileState = Literal["waiting", "good", "stale", "failing"]

_FIRST_PAUSE = 5.0  # seconds until what failed is tried again; doubled each time, up to the file's interval


@dataclass(slots=True)
class Tracked:
    """One file. Times are in seconds since the epoch, 0.0 for never."""

    name: str
    settings: FileSettings
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while it is refreshed."""
    exists: bool = False
    checked: float = 0.0
    """When it was last known to hold what its sources say; over restarts too."""
    written: float = 0.0
    """When this agent last wrote it."""
    due: float = 0.0
    """When it is refreshed next, by the monotonic clock: the other one may be set back."""
    error: str = ""
    """Why the last refresh failed; "" where it went well."""
    failing_since: float = 0.0
    failures: int = 0
    """In a row."""
    failed: int = 0
    """In all, as `succeeded`."""
    succeeded: int = 0
    gathered: Gathered | None = None
    """The variables that it has, as it has them; None until it is known to be true."""

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.settings.path)

    @property
    def state(self) -> FileState:
        """`waiting` for its first refresh; `good`; `stale`: it is there, but may not be true any more; `failing`: it is not there."""
        if self.error:
            return "stale" if self.exists else "failing"
        return "good" if self.checked else "waiting"

    def succeed(self, gathered: Gathered, now: float) -> None:
        """A refresh went well."""
        self.gathered, self.checked, self.exists = gathered, now, True
        self.error, self.failures, self.failing_since = "", 0, 0.0
        self.succeeded += 1

    def fail(self, error: str, now: float, delay: float | None) -> None:
        """A refresh failed; the next one is due after a pause. `delay`: a wish for how long, in seconds."""
        self.failures += 1
        self.failed += 1
        self.failing_since = self.failing_since or now
        self.error = error
        pause = max(_FIRST_PAUSE * 2 ** min(self.failures - 1, 20), delay or 0.0)
        self.due = time.monotonic() + min(self.settings.interval, pause) * random.uniform(0.75, 1)  # noqa: S311

    def describe(self) -> dict[str, Any]:
        """It for people and programs; without values."""
        found = self.gathered
        return {
            "name": self.name,
            "path": self.settings.path,
            "format": self.settings.format,
            "state": self.state,
            "error": self.error,
            "exists": self.exists,
            "checked_at": self.checked,
            "written_at": self.written,
            "next_at": time.time() + self.due - time.monotonic() if self.due else 0.0,
            "failing_since": self.failing_since,
            "failures": self.failures,
            "variables": None if found is None else len(found.values),
            "warnings": [] if found is None else list(found.warnings),
        }
