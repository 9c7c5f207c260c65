"""nginx's master process: our child, or one that an agent before us left."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from skep import read_small_file

__all__ = ["Master"]


class Master:
    """A running nginx. It leads a process group, so that its workers are found when it died without them."""

    def __init__(self, pid: int, child: asyncio.subprocess.Process | None = None) -> None:
        self.pid = pid
        self.child = child
        self.is_ready = False
        """Whether it heeds signals, as far as that is known."""
        self.listened = child is None
        """Whether it was seen to listen."""
        self._pidfd = -1 if child else os.pidfd_open(pid)

    @classmethod
    def adopt(cls, pid_file: Path, conf: Path) -> Master | None:
        """The nginx that runs with that configuration already, if there is one."""
        try:
            pid = _read_pid(pid_file)
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if str(conf).encode() in words and b"nginx" in words:
                return cls(pid)
        except (OSError, ValueError):
            pass
        return None

    def owns(self, pid_file: Path) -> bool:
        """Whether it wrote its id there, which it does when its handlers of signals are in place."""
        try:
            return _read_pid(pid_file) == self.pid
        except (OSError, ValueError):
            return False

    async def wait(self) -> str:
        """Return when it has ended: how, as far as that is known."""
        if self.child is not None:
            code = await self.child.wait()
            return f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._pidfd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._pidfd)
        return "ended"

    def hang_up(self) -> None:
        """Tell it to read its configuration again."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGHUP)

    def kill(self) -> None:
        """End it, but none of its workers, who go on with the requests that they have."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def workers(self) -> frozenset[int]:
        """Its workers now, also those that are ending; none where this kernel does not tell (proc(5), `children`)."""
        try:
            return frozenset(map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()))
        except (OSError, ValueError):
            return frozenset()

    def dismiss(self, old: frozenset[int]) -> bool:
        """Let the workers of before a reload end when their requests have, if there are new ones; whether there are.

        The master does that itself, but 0.1 s after it started new ones, and until then the old ones take most new connections. It
        reads no signals for that time: when it learns that one of them has ended, that is what it told it to.
        """
        now = self.workers()
        if not now - old:
            return False
        for pid in now & old:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGQUIT)
        return True

    def dismiss_workers(self) -> None:
        """It is dead: let its workers give the ports back, and end when their requests have."""
        self._signal_all(signal.SIGQUIT)

    async def stop(self, seconds: float) -> None:
        """Let requests end for some seconds, then end it."""
        for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL):
            if number is signal.SIGQUIT:
                with suppress(ProcessLookupError):
                    os.kill(self.pid, number)
            else:
                self._signal_all(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.wait()
                    break
        self.close()

    def _signal_all(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def close(self) -> None:
        """Let go of what watches it."""
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def _read_pid(pid_file: Path) -> int:
    """Raises OSError, ValueError. nginx's user may write in that folder, hence no link is followed."""
    return int(read_small_file(pid_file, 32, follow=False))
