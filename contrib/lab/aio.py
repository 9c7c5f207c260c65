"""The lab for asyncio programs and tests: the same calls, awaited."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from contrib.lab.errors import LabError
from contrib.lab.sync import SyncHost, SyncLab

T = TypeVar("T")


async def _thread(call: Callable[[], T]) -> T:
    """Run a blocking call in a thread. When cancelled, let it finish first: no half changes."""
    task = asyncio.create_task(asyncio.to_thread(call))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class Host:
    """One Linux host with one Docker Engine. Not bound to an event loop."""

    def __init__(self, host: SyncHost) -> None:
        self.sync = host
        """The same host for blocking code."""
        self.name = host.name
        self.address = host.address
        """IPv4; published ports answer there."""
        self.url = host.url
        """tcp://ADDRESS:2375"""
        self.socket = host.socket
        """The engine's unix socket; it answers even when the host is cut off."""
        self.labels = host.labels
        self.log = host.engine.log
        """What dockerd says."""

    async def state(self) -> str:
        """One of off, dead, frozen, mute, up; with ", cut" when the network cable is out."""
        return await _thread(lambda: self.sync.state)

    async def docker(self, *arguments: str, seconds: float = 60) -> str:
        """Run the stock docker command on this engine and return what it printed, stripped.

        Raises LabError with the command's complaint.
        """
        return await _thread(lambda: self.sync.docker(*arguments, seconds=seconds))

    async def run(self, *argv: str, seconds: float = 60) -> str:
        """Run a program on the host itself, outside of containers, and return what it printed, stripped."""
        return await _thread(lambda: self.sync.run(*argv, seconds=seconds))

    async def load(self, *images: str) -> None:
        """Load images by name."""
        await _thread(lambda: self.sync.load(*images))

    async def start(self) -> None:
        """Start the engine and wait until it answers; nothing happens when it runs."""
        await _thread(self.sync.start)

    async def stop(self) -> None:
        """End the engine as a shutdown does, containers first (those that ignore SIGTERM take 10 s)."""
        await _thread(self.sync.stop)

    async def restart(self) -> None:
        """End the engine, if it runs, and start it."""
        await _thread(self.sync.restart)

    async def kill(self) -> None:
        """Kill dockerd (SIGKILL)."""
        await _thread(self.sync.kill)

    async def freeze(self) -> None:
        """Stop dockerd (SIGSTOP): connections open, nothing answers."""
        await _thread(self.sync.freeze)

    async def thaw(self) -> None:
        """Let a frozen dockerd go on, and wait until it answers."""
        await _thread(self.sync.thaw)

    async def cut(self) -> None:
        """Pull the host's network cable: packets vanish, connections hang."""
        await _thread(self.sync.cut)

    async def heal(self) -> None:
        """Put the network cable back."""
        await _thread(self.sync.heal)


class Lab:
    """Real Docker Engines, up within the block of `async with` (or plain `with`, which blocks).

        async with Lab(["n1", "n2"], labels={"n1": {"disk": "ssd"}}) as lab:
            await lab["n1"].docker("run", "-d", "busybox", "sleep", "1000")

    `name` keeps labs apart (default: a random one). `images` are loaded into every engine; there are those of
    `contrib.lab.images.NAMES`. `engine_dir` is where another generation of dockerd was unpacked (`lab
    fetch-engine`). Raises LabError, with the end of its log, when an engine does not start.
    """

    def __init__(
        self,
        names: Collection[str],
        *,
        labels: Mapping[str, Mapping[str, str]] | None = None,
        images: Collection[str] = ("busybox",),
        name: str | None = None,
        engine_dir: Path | None = None,
    ) -> None:
        self.sync = SyncLab(name or f"t-{secrets.token_hex(4)}")
        """The same lab for blocking code."""
        self._names, self._labels, self._images, self._engine_dir = list(names), labels, images, engine_dir

    def __enter__(self) -> "Lab":
        if self.sync.directory.exists():
            raise LabError(f"the lab {self.sync.name!r} is there already; take it down, or choose another name")
        try:
            self.sync.up(self._names, self._labels, self._images, self._engine_dir)
        except BaseException:
            self.sync.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sync.down()

    async def __aenter__(self) -> "Lab":
        try:
            return await _thread(self.__enter__)
        except asyncio.CancelledError:
            await _thread(self.sync.down)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await _thread(self.sync.down)

    @property
    def hosts(self) -> dict[str, Host]:
        """The hosts by name."""
        return {name: Host(host) for name, host in self.sync.hosts.items()}

    def __getitem__(self, name: str) -> Host:
        return Host(self.sync[name])

    async def add(
        self,
        *names: str,
        labels: Mapping[str, Mapping[str, str]] | None = None,
        engine_dir: Path | None = None,
    ) -> None:
        """Bring up more hosts with the same images, perhaps with another generation of dockerd."""
        await _thread(lambda: self.sync.up(names, labels, self._images, engine_dir))

    async def load(self, *images: str) -> None:
        """Load images into every engine."""
        await _thread(lambda: self.sync.load(images))
