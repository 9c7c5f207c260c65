"""Processes that the lab may signal: named by pid and start time, so that a recycled pid is never hit."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contrib.lab.errors import LabError


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its pid, and its start time in clock ticks since boot (field 22 of proc(5) stat)."""

    pid: int
    started: int

    @classmethod
    def recorded(cls, path: Path) -> "Process | None":
        """Read the file "PID START" that a lab host writes of itself; None when there is none."""
        try:
            pid, started = path.read_text().split()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(int(pid), int(started))

    @property
    def state(self) -> str:
        """The state letter of proc(5): R, S, D, T (stopped), ...; "" when the process is over."""
        fields = _stat(self.pid)
        if fields is None or fields[0] in "ZX" or int(fields[19]) != self.started:
            return ""
        return fields[0]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process is over."""
        if fd := self._open():
            try:
                signal.pidfd_send_signal(fd, number)
            except ProcessLookupError:
                pass
            finally:
                os.close(fd)

    def wait(self, seconds: float) -> bool:
        """Wait until the process is over; False when it still runs after `seconds`."""
        fd = self._open()
        if fd is None:
            return True
        try:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        finally:
            os.close(fd)

    def _open(self) -> int | None:
        try:
            fd = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return None
        if self.state:
            return fd
        os.close(fd)
        return None


def children(parent: int) -> Iterator[tuple[str, Process]]:
    """Yield name and process of every living child of the process `parent`."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or (fields := _stat(int(entry.name))) is None:
            continue
        if int(fields[1]) == parent and fields[0] not in "ZX":
            try:
                name = (entry / "comm").read_text().strip()
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield name, Process(int(entry.name), int(fields[19]))


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Return as soon as `condition()` holds; raise LabError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the command's name (which may hold anything): state first."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
