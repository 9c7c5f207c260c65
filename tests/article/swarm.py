"""The article's swarm, brought up on real engines as a person would: by skep's and docker's own commands."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from contrib.lab import Host, Lab
from contrib.lab.processes import children, wait_until

SKEP = Path(sys.executable).with_name("skep")
HUB = 7070
MANAGER = 3376
ENGINE = 2375


class Service:
    """A command of skep that runs on one of the lab's hosts until stopped; what it says goes to a file."""

    def __init__(self, host: Host, log: Path, environment: dict[str, str], *arguments: str) -> None:
        self.log = log
        with log.open("wb") as output:
            command = host.sync.machine.inside(str(SKEP), *arguments)
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal. What we started is nsenter(1); skep is its child."""
        for _, process in children(self._process.pid):
            process.signal(number)

    def kill(self) -> None:
        """End it as a power failure would."""
        self.signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> int:
        """End it as an operator would; returns its exit status."""
        self.signal(signal.SIGTERM)
        return self._process.wait(20)

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def says(self, text: str, seconds: float = 20) -> None:
        """Wait until it says something."""
        what = f"{text!r} in {self.log}"
        wait_until(lambda: text in self.log.read_text() or self.ended, seconds, what)
        assert text in self.log.read_text(), f"ended without {what}:\n{self.log.read_text()}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.ended:
            self.kill()


class Swarm:
    """A token service, four engines that joined, and a manager, from the first command of the article on.

    The token service runs on the manager's host, as the article's ran at the Docker Hub.
    """

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.master = lab["swarm-master"]
        self.environment = {
            **os.environ,
            "DOCKER_HOST": f"tcp://{self.master.address}:{MANAGER}",
            "SKEP_DISCOVERY_SERVICE": f"http://{self.master.address}:{HUB}",
        }
        self._services = ExitStack()
        self.joined: dict[str, Service] = {}
        self.manager: Service
        self.discovery = ""

    def __enter__(self) -> Self:
        try:
            hub = self._start(
                "hub", self.master, "discovery-service", "--listen", f"tcp://0.0.0.0:{HUB}", "--allow-insecure"
            )
            hub.says("discovery service at")
            self.discovery = f"token://{self.run(str(SKEP), 'create').stdout.strip()}"
            for name, host in self.lab.hosts.items():
                advertise = f"--advertise={host.address}:{ENGINE}"
                self.joined[name] = self._start(f"join-{name}", host, "join", advertise, self.discovery)
            for service in self.joined.values():
                service.says("registered")
            self.manage()
        except BaseException:
            self._services.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._services.close()

    def manage(self) -> None:
        """Start a manager, and wait until it serves."""
        listen = f"--host=tcp://0.0.0.0:{MANAGER}"
        arguments = ("manage", listen, "--allow-insecure", "--control=unix:///run/skep.sock", self.discovery)
        self.manager = self._start("manager", self.master, *arguments)
        self.manager.says("skep is up")

    def docker(self, *arguments: str, status: int = 0, seconds: float = 60, stdin: str = "") -> str:
        """Run the stock docker command on the swarm, and return what it printed, stripped; stderr when it is to fail."""
        done = self.run("docker", *arguments, seconds=seconds, stdin=stdin)
        assert done.returncode == status, f"docker {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return (done.stderr if status else done.stdout).strip()

    def skep(self, *arguments: str) -> str:
        """Run skep on the manager's host, and return what it printed, stripped."""
        done = self.run(*self.master.sync.machine.inside(str(SKEP), *arguments))
        assert done.returncode == 0, done
        return done.stdout.strip()

    def run(self, *argv: str, seconds: float = 60, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command with DOCKER_HOST pointing at the swarm."""
        return subprocess.run(argv, env=self.environment, input=stdin, capture_output=True, text=True, timeout=seconds)

    def names(self, *arguments: str) -> set[str]:
        """What docker ps calls the containers."""
        return set(self.docker("ps", "--format", "{{.Names}}", *arguments).splitlines())

    def _start(self, name: str, host: Host, *arguments: str) -> Service:
        return self._services.enter_context(Service(host, self.folder / f"{name}.log", self.environment, *arguments))


def eventually(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until a condition holds; raises LabError naming `what` after `seconds`."""
    wait_until(lambda: bool(condition()), seconds, what)
