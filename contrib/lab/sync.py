"""The lab without asyncio: hosts, what is known about them on disk, and everything that is done to them."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from contrib.lab import cgroups, firewall, network, state
from contrib.lab.api import import_image
from contrib.lab.engines import Engine
from contrib.lab.errors import LabError, run
from contrib.lab.images import Image, build, known_images
from contrib.lab.machines import Machine
from contrib.lab.processes import wait_until
from contrib.lab.state import State

_PROGRAMS = ".programs"
"""Below a lab's directory: programs that its engines prefer to the system's."""
GOING = ".going"
"""What a lab's directory is called in the end, while what is in it is removed."""


class SyncHost:
    """One Linux host with one Docker Engine."""

    def __init__(self, lab: "SyncLab", name: str) -> None:
        known = lab.state.hosts[name]
        self.name = name
        self.number = known.number
        self.labels = known.labels
        self.machine = Machine(name, lab.directory / name)
        self.engine = Engine(self.machine, lab.arguments(name), lab.path(name))
        self._lab = lab

    @property
    def address(self) -> str:
        """The host's IPv4 address."""
        return self._lab.plan.address(self.number)

    @property
    def url(self) -> str:
        """The engine's tcp address, for DOCKER_HOST."""
        return f"tcp://{self.address}:2375"

    @property
    def socket(self) -> Path:
        """The engine's unix socket; it is reachable even when the host is cut off."""
        return self.engine.socket

    @property
    def state(self) -> str:
        """What an operator would say: off, dead, frozen, mute, up; "up, cut" when the cable is out."""
        known = self.engine.state
        return f"{known}, cut" if known != "off" and network.is_cut(self._lab.switch, self.number) else known

    def docker(self, *arguments: str, seconds: float = 60) -> str:
        """Run the docker command on this engine and return what it printed; raises LabError if it fails."""
        return run("docker", "--host", f"unix://{self.socket}", *arguments, seconds=seconds).strip()

    def run(self, *argv: str, seconds: float = 60) -> str:
        """Run a program on the host itself, outside of containers, and return what it printed."""
        return run(*self.machine.inside(*argv), seconds=seconds).strip()

    def start(self) -> None:
        """Start the engine and wait until it answers; nothing happens when it runs."""
        self.engine.start()

    def stop(self) -> None:
        """End the engine as a shutdown does, containers first."""
        self.engine.stop()

    def restart(self) -> None:
        """End the engine, if it runs, and start it."""
        self.engine.stop()
        self.engine.start()

    def kill(self) -> None:
        """Kill dockerd (SIGKILL); its containers' processes live on until it is started again."""
        self.engine.kill()

    def freeze(self) -> None:
        """Stop dockerd (SIGSTOP): connections open, nothing answers."""
        self.engine.freeze()

    def thaw(self) -> None:
        """Let a frozen dockerd go on, and wait until it answers."""
        self.engine.thaw()

    def cut(self) -> None:
        """Pull the host's network cable: packets vanish, connections hang."""
        network.cut(self._lab.switch, self.number)

    def heal(self) -> None:
        """Put the network cable back."""
        network.heal(self._lab.switch, self.number)

    def reset(self) -> None:
        """Make the host as new: engine up, cable in, no containers, volumes or networks. Images stay."""
        if "cut" in (state := self.state):
            self.heal()
        if "frozen" in state:
            self.thaw()
        if "dead" in state:
            self.machine.clear()
            self.start()
        if containers := self.docker("ps", "--all", "--quiet"):
            self.docker("rm", "--force", "--volumes", *containers.split())
        self.docker("volume", "prune", "--force")
        self.docker("network", "prune", "--force")

    def load(self, *names: str) -> None:
        """Load images by name (see `images.NAMES`)."""
        for image in self._lab.tars(names):
            import_image(self.socket, image.tar, image.name, image.changes)


class SyncLab:
    """Hosts with real Docker Engines on this machine, in a network of their own.

    `name` keeps labs apart. What is known about a lab lies in one directory, so that any later process can go
    on with it, and take it down.
    """

    def __init__(self, name: str = "lab", *, root: Path | None = None) -> None:
        self.directory = (root or state.default_root()) / state.checked_name(name)
        self.name = name
        self.switch = Machine("switch", self.directory / ".switch")
        self._state: State | None = None

    @property
    def state(self) -> State:
        """What is known on disk; raises LabError when there is no such lab."""
        if self._state is None:
            self._state = State.load(self.directory)
        return self._state

    @property
    def plan(self) -> network.Plan:
        """Who has which address; raises LabError when the lab's network was never made."""
        if self.state.subnet is None:
            raise LabError(f"the lab {self.name!r} was given up half-way; take it down first")
        return network.Plan(self.state.subnet)

    @property
    def hosts(self) -> dict[str, SyncHost]:
        """The hosts by name, in the order of their making."""
        return {name: SyncHost(self, name) for name in self.state.hosts}

    def __getitem__(self, name: str) -> SyncHost:
        if name not in self.state.hosts:
            raise LabError(f"no host {name!r} in the lab {self.name!r}, only {', '.join(self.state.hosts)}")
        return SyncHost(self, name)

    def up(
        self,
        names: Collection[str],
        labels: Mapping[str, Mapping[str, str]] | None = None,
        images: Collection[str] = (),
        engine_dir: Path | None = None,
    ) -> None:
        """Make sure that these hosts are there, their engines answer, and the images are loaded.

        `labels` maps a host's name to its engine's labels. A lab that exists gets the hosts that it lacks;
        new ones take their dockerd from `engine_dir`, if given. Raises LabError, with the end of an engine's
        log, when one does not start; what did start stays, for `down`.
        """
        if unknown := set(labels or ()) - set(names):
            raise LabError(f"labels for hosts that are not named: {', '.join(sorted(unknown))}")
        for name in names:
            state.checked_name(name)
        known_images(images)
        if os.geteuid() != 0:
            raise LabError("the lab makes network namespaces and runs dockerd: it must be root")
        if not self.directory.exists():
            self._found()
        for name in names:
            self.state.add(name, (labels or {}).get(name, {}), engine_dir)
        self.state.save(self.directory)
        self.each(self._bring_up, names)
        self.load(images, names)

    def load(self, images: Collection[str], names: Collection[str] | None = None) -> None:
        """Load images into the engines named, or all, in parallel."""
        self.tars(images)
        self.each(lambda host: host.load(*images), names)

    def reset(self) -> None:
        """Make every host as new."""
        self.each(SyncHost.reset)

    def tars(self, names: Collection[str]) -> list[Image]:
        """The images by these names; each is built once per lab."""
        return [build(name, self.state.data / "images") for name in names]

    def down(self) -> None:
        """End everything and remove everything. Safe to repeat, and after a crash at any point."""
        going = self.directory.with_suffix(GOING)
        if going.exists():  # A `down` that was killed.
            self._remove(going, None)
        if self.directory.exists():
            cable = network.uplink(self.switch)
            _power_off(self.directory)
            # A machine that an `up` started just before it was killed finds no place for its record now, and ends.
            self.directory.rename(going)
            self._remove(going, cable)
        with contextlib.suppress(OSError):  # Other labs are there.
            self.directory.parent.rmdir()
        self._state = None

    def _remove(self, directory: Path, cable: int | None) -> None:
        _power_off(directory)
        try:
            data = State.load(directory).data
        except LabError:  # Given up before it made anything.
            data = None
        if data:
            wait_until(lambda: network.gone(data.name, cable), 10, f"removing the network of the lab {self.name}")
            cgroups.remove(data.name)
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(data)
        shutil.rmtree(directory)

    def each(self, action: Callable[[SyncHost], object], names: Collection[str] | None = None) -> None:
        """Do something to the hosts named, or all, in parallel; raises the first error when all are done."""
        hosts = [self[name] for name in (self.state.hosts if names is None else names)]
        with ThreadPoolExecutor(max(1, len(hosts))) as pool:
            list(pool.map(action, hosts))

    def arguments(self, name: str) -> tuple[str, ...]:
        """dockerd's flags for a host."""
        host = self.state.hosts[name]
        return (
            f"--data-root={self.state.data / name}",
            # Cgroups by hand, below one of ours, so that they can be removed without the engine's help.
            "--exec-opt=native.cgroupdriver=cgroupfs",
            f"--cgroup-parent=/{self.state.data.name}/{name}",
            f"--bip={self.plan.bridge(host.number)}",
            f"--default-address-pool={self.plan.pool(host.number)}",
            *(f"--label={key}={value}" for key, value in host.labels.items()),
        )

    def path(self, name: str) -> tuple[Path, ...]:
        """Folders, if they exist, with programs that a host's engine prefers to this system's."""
        folders = [self.directory / _PROGRAMS]
        if other := self.state.hosts[name].engine_dir:
            folders += [Path(other) / "usr/sbin", Path(other) / "usr/bin"]
        return tuple(folders)

    def _found(self) -> None:
        """Begin a lab. What is about to be made is on record before it is made."""
        while not self.directory.exists():
            with contextlib.suppress(FileNotFoundError):  # The last other lab was taken down just now.
                self.directory.mkdir(parents=True, mode=0o700)
        data = state.data_root() / f"skep-lab-{self.name}-{secrets.token_hex(4)}"
        self._state = State(data)
        self._state.save(self.directory)
        data.mkdir(mode=0o711)
        self.switch.on()
        firewall.choose(self.switch, self.directory / _PROGRAMS)
        self._state.subnet = network.connect(self.switch, data.name).subnet
        self._state.save(self.directory)

    def _bring_up(self, host: SyncHost) -> None:
        if host.machine.process is None:
            host.machine.on()
            network.plug(self.switch, host.machine, self.plan, host.number)
        host.start()


def _power_off(directory: Path) -> None:
    """Pull the plug of every machine of the lab in `directory`."""
    machines = [Machine(path.name, path) for path in directory.iterdir() if path.is_dir()]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(Machine.off, machines))
