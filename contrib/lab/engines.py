"""A Docker Engine on a machine: its start, its end, and the faults that tests give it."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from contrib.lab import api
from contrib.lab.errors import LabError, run
from contrib.lab.machines import Machine
from contrib.lab.processes import Process, children, wait_until

_BOOT = Path(__file__).with_name("engine.sh")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Engine:
    """The dockerd of one machine, with its own containerd. Whether it runs, the kernel knows."""

    machine: Machine
    arguments: tuple[str, ...]
    """dockerd's flags, except the sockets."""
    path: tuple[Path, ...] = ()
    """Folders with programs that go before this system's: another dockerd, another iptables."""

    @property
    def socket(self) -> Path:
        """The engine's unix socket, reachable from outside the machine."""
        return self.machine.directory / "docker.sock"

    @property
    def log(self) -> Path:
        """What dockerd says."""
        return self.machine.directory / "dockerd.log"

    @property
    def process(self) -> Process | None:
        """The dockerd process, or None when there is none."""
        return next((process for name, process in self._children() if name == "dockerd"), None)

    @property
    def state(self) -> str:
        """One of: off (no machine), dead (no dockerd), frozen, up (it answers), mute (it does not)."""
        if self.machine.process is None:
            return "off"
        if (process := self.process) is None:
            return "dead"
        if process.state == "T":
            return "frozen"
        # On a busy machine an engine that is well may take its time.
        return "up" if api.ping(self.socket, 5) else "mute"

    def start(self, seconds: float = 30) -> None:
        """Start dockerd and wait until it answers; raises LabError with the end of its log if it does not."""
        if self.process:
            return
        self.socket.unlink(missing_ok=True)
        self.log.touch()
        sockets = (
            "--host=unix:///run/docker.sock",
            f"--host=unix://{self.socket}",
            "--host=tcp://0.0.0.0:2375",
        )
        path = os.pathsep.join([*map(str, self.path), _SYSTEM_PATH])
        start = ("setsid", "--fork", "sh", str(_BOOT), str(self.log), path)
        run(*self.machine.inside(*start, *sockets, "--tls=false", *self.arguments))
        self._answers(seconds)

    def stop(self, seconds: float = 20) -> None:
        """Ask dockerd to end, as a shutdown does: it stops its containers. After `seconds` it is killed."""
        if process := self.process:
            process.signal(signal.SIGCONT)
            process.signal(signal.SIGTERM)
            if not process.wait(seconds):
                self.kill()

    def kill(self) -> None:
        """Kill dockerd. Its containers live on; the next dockerd ends them, giving them 10 s of grace."""
        if process := self.process:
            process.signal(signal.SIGKILL)
            if not process.wait(10):
                raise LabError(f"dockerd of {self.machine.name} (pid {process.pid}) outlives SIGKILL")

    def freeze(self) -> None:
        """Stop dockerd in its tracks: it accepts connections (the kernel does) and answers nothing."""
        self._signal(signal.SIGSTOP)
        wait_until(lambda: self.state == "frozen", 5, f"freezing the engine of {self.machine.name}")

    def thaw(self) -> None:
        """Let a frozen dockerd go on; returns when it answers."""
        self._signal(signal.SIGCONT)
        self._answers(30)

    def _children(self) -> list[tuple[str, Process]]:
        holder = self.machine.process
        return list(children(holder.pid)) if holder else []

    def _over(self) -> bool:
        """Whether there is no dockerd, nor what becomes one: setsid(1), then the shell of engine.sh."""
        return not {"dockerd", "setsid", "sh"}.intersection(name for name, _ in self._children())

    def _signal(self, number: signal.Signals) -> None:
        if (process := self.process) is None:
            raise LabError(f"no engine runs on {self.machine.name}; start it first")
        process.signal(number)

    def _answers(self, seconds: float) -> None:
        """Wait for an answer, but not for a dockerd that is over."""
        try:
            wait_until(lambda: api.ping(self.socket) or self._over(), seconds, "no answer to GET /_ping")
            if self._over():
                raise LabError("dockerd has ended")
        except LabError as error:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-25:])
            raise LabError(f"the engine of {self.machine.name}: {error}. The end of {self.log}:\n{tail}") from None
