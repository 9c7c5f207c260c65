"""A machine: the namespaces that make one corner of Linux look like a host of its own."""

import signal
from dataclasses import dataclass
from pathlib import Path

from contrib.lab.errors import LabError, run
from contrib.lab.processes import Process

_BOOT = Path(__file__).with_name("machine.sh")


@dataclass(frozen=True, slots=True)
class Machine:
    """Network, pid, mount, host name and ipc namespaces, held by one process that recorded itself.

    That process is the first of its pid namespace: ending it ends everything inside, and with the last
    process go the namespaces, their mounts and their network devices.
    """

    name: str
    directory: Path
    """What the machine keeps on the outside: its record, its engine's socket and log."""

    @property
    def process(self) -> Process | None:
        """The process that holds the machine, or None when the machine is off."""
        process = Process.recorded(self.directory / "machine")
        return process if process and process.state else None

    @property
    def pid(self) -> int:
        """The pid of the holding process; raises LabError when the machine is off."""
        if process := self.process:
            return process.pid
        raise LabError(f"the machine {self.name} is off; `lab down` clears what it left")

    def on(self) -> None:
        """Switch the machine on: returns when its namespaces are furnished."""
        self.directory.mkdir(parents=True, exist_ok=True)
        # Slave mounts: what the outside unmounts goes here too, and what is mounted here stays here.
        namespaces = ("--net", "--pid", "--mount", "--propagation=slave", "--uts", "--ipc")
        boot = (
            "setsid",
            "--fork",
            "sh",
            str(_BOOT),
            self.name,
            str(self.directory),
            str(self.directory.parent),
        )
        if complaint := run("unshare", *namespaces, *boot).strip():
            raise LabError(f"the machine {self.name} does not start: {complaint}")

    def off(self, seconds: float = 20) -> None:
        """Pull the plug: returns when no process of the machine is left; raises LabError after `seconds`."""
        if process := self.process:
            process.signal(signal.SIGKILL)
            if not process.wait(seconds):
                raise LabError(f"the machine {self.name} (pid {process.pid}) did not end within {seconds:g} s")

    def clear(self) -> None:
        """Kill every process but the one that holds the machine."""
        run(*self.inside("sh", "-c", "kill -KILL -1"))

    def inside(self, *argv: str) -> tuple[str, ...]:
        """The command line that runs `argv` on the machine."""
        return ("nsenter", f"--target={self.pid}", "--net", "--pid", "--mount", "--uts", "--ipc", "--", *argv)

    def ip(self, *commands: str) -> None:
        """Run commands of ip(8) in the machine's network, one per string."""
        run("nsenter", f"--target={self.pid}", "--net", "ip", "-batch", "-", stdin="\n".join(commands) + "\n")
