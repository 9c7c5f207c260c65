"""`EmbeddedEngine`: a Docker Engine without Docker, in the process of whoever needs one."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import ssl
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from . import creation, images, references
from .faults import Faults
from .lifecycle import Lifecycle
from .networking import Networking
from .server import Server
from .state import Image, State

SIZE = 1_982_256  # bytes: that of busybox
DEFAULT_IMAGES = ("busybox:latest", "redis:latest", "postgres:latest", "nginx:latest", "counter:latest")


class EmbeddedEngine:
    """A simulated Docker Engine that the docker CLI, docker-py, aiodocker and skep can talk to.

    Containers are states, not processes: `sleep`, `echo`, `cat`, `env`, a small `sh` and the like do what one
    expects of them, any other command runs until it is stopped. The methods of this class act as if something
    happened on the host: they need no client, take effect at once, and the engine's events tell of them. They
    raise `EngineError` where the API would answer with an error.

    `labels` are the engine's (``model=high-memory``), `memory` is in bytes, `images` are there from the
    beginning. `engine_id` is by default made from `name`, so that an engine started again keeps it.
    `address` is the host's own, for tests that need one; nothing listens there.
    """

    def __init__(
        self,
        name: str = "node",
        *,
        labels: Mapping[str, str] | None = None,
        cpus: int = 4,
        memory: int = 8 * 2**30,
        version: str = "20.10.24",
        api_version: str = "1.41",
        min_api_version: str = "1.12",
        images: Iterable[str] = DEFAULT_IMAGES,
        engine_id: str | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        self.name = name
        self.labels = dict(labels or {})
        self.cpus = cpus
        self.memory = memory
        self.version = version
        self.api_version = api_version
        self.min_api_version = min_api_version
        self.address = address
        self.url = ""
        self.state = State()
        self.networking = Networking(self.state)
        self.lifecycle = Lifecycle(self.state, self.networking)
        self.faults = Faults(self.state)
        self._id = engine_id or _engine_id(name)
        self._server = Server(self)
        self._folder: str | None = None
        self._tls: ssl.SSLContext | None = None
        for image in images:
            self.add_image(image)

    @property
    def engine_id(self) -> str:
        """The engine's ID as `docker info` shows it."""
        return self.faults.engine_id or self._id

    def headers(self) -> dict[str, str]:
        """What every answer of the engine carries."""
        return {
            "Api-Version": self.api_version,
            "Docker-Experimental": "false",
            "Ostype": "linux",
            "Server": f"Docker/{self.version} (linux)",
        }

    async def start(self, listen: str | None = None, *, ssl_context: ssl.SSLContext | None = None) -> None:
        """Serve on `listen`: ``unix:///path`` or ``tcp://127.0.0.1:port`` (port 0: a free one); see `url`.

        The default is the address of the last time; the first time it is a socket in a temporary folder.
        Raises OSError when the address is taken.
        """
        address = listen or self.url
        if not address:
            self._folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="skep-engine-")
            address = f"unix://{self._folder}/engine.sock"
        self._tls = ssl_context or self._tls
        self.url = await self._server.listen(address, self._tls)

    async def stop(self) -> None:
        """Stop serving and drop every connection; containers and images stay, for a next `start`."""
        await self._server.close()
        self.state.events.close_readers()
        for container in self.state.containers.values():
            self.lifecycle.freeze(container)
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            self._folder, self.url = None, ""

    async def __aenter__(self) -> Self:
        if not self.url:
            await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def add_image(self, reference: str, config: Mapping[str, Any] | None = None) -> str:
        """Make an image known, configured as the catalogue or `config` says; returns its id."""
        tag = references.normal(reference)
        id_ = references.image_id(tag)
        full = {**references.catalogue_config(tag), **(config or {})}
        image = images.add(self.state, Image(id_, [], full, time.time_ns(), SIZE), tag)
        if config:
            image.config = full
        return id_

    def create(
        self,
        name: str | None = None,
        image: str = "busybox:latest",
        *,
        command: str | Sequence[str] | None = None,
        env: Mapping[str, str] | Sequence[str] = (),
        labels: Mapping[str, str] | None = None,
        ports: Mapping[str, str | int | None] | None = None,
        links: Sequence[str] = (),
        health: str | None = None,
        memory: int = 0,
        cpu_shares: int = 0,
        **host: Any,
    ) -> str:
        """Create a container; returns its id.

        `ports` maps a container's port (``80/tcp``) to a host's (``8080``, ``127.0.0.1:8080``, None for
        any). `health` gives it a health check, which finds that once it runs. `memory` is in bytes. Further
        arguments are fields of `HostConfig` (``RestartPolicy={"Name": "always"}``).
        """
        argv = command.split() if isinstance(command, str) else command
        body: dict[str, Any] = {
            "Image": image,
            "Cmd": list(argv) if argv else (["sleep", "infinity"] if image.startswith("busybox") else None),
            "Env": [f"{key}={value}" for key, value in env.items()] if isinstance(env, Mapping) else list(env),
            "Labels": dict(labels or {}),
            "ExposedPorts": {_port(port): {} for port in ports or {}},
            "HostConfig": {
                "Links": list(links),
                "Memory": memory,
                "CpuShares": cpu_shares,
                "PortBindings": {_port(port): [_binding(to)] for port, to in (ports or {}).items()},
                **host,
            },
        }
        if health:
            body["Healthcheck"] = {"Test": ["CMD", "true"], "Status": health}
        return creation.create(self.state, self.networking, name or "", body).id

    def run(self, name: str | None = None, image: str = "busybox:latest", **options: Any) -> str:
        """`create`, then start; returns the id. The options are those of `create`."""
        id_ = self.create(name, image, **options)
        self.start_container(id_)
        if options.get("health"):
            self.set_health(id_, options["health"])
        return id_

    def start_container(self, container: str) -> None:
        """Start a container, by id or name."""
        self.lifecycle.start(self.state.container(container))

    def stop_container(self, container: str) -> None:
        """Stop it, as `docker stop` does."""
        self.lifecycle.stop(self.state.container(container))

    def restart_container(self, container: str) -> None:
        """Stop and start it."""
        self.lifecycle.restart(self.state.container(container))

    def kill(self, container: str, signal: str = "KILL") -> None:
        """Send its main process a signal."""
        self.lifecycle.kill(self.state.container(container), signal)

    def die(self, container: str, exit_code: int = 0) -> None:
        """Let its main process end by itself; its restart policy applies."""
        self._end(container, exit_code)

    def oom(self, container: str) -> None:
        """Let the kernel kill it for want of memory."""
        self._end(container, 137, oom=True)

    def _end(self, container: str, exit_code: int, *, oom: bool = False) -> None:
        found = self.state.container(container)
        if found.status in ("running", "paused"):
            self.lifecycle.died(found, exit_code, oom=oom)

    def pause(self, container: str) -> None:
        """Freeze it."""
        self.lifecycle.pause(self.state.container(container))

    def unpause(self, container: str) -> None:
        """Let it go on."""
        self.lifecycle.unpause(self.state.container(container))

    def rename(self, container: str, name: str) -> None:
        """Give it another name."""
        self.lifecycle.rename(self.state.container(container), name)

    def set_health(self, container: str, health: str) -> None:
        """Let its health check find it ``healthy``, ``unhealthy`` or ``starting``."""
        self.lifecycle.set_health(self.state.container(container), health)

    def remove(self, container: str, *, force: bool = False) -> None:
        """Remove it."""
        self.lifecycle.remove(self.state.container(container), force=force)

    def write(self, container: str, text: str, *, stderr: bool = False) -> None:
        """Let it write something, for those who read its logs or are attached."""
        self.lifecycle.write(self.state.container(container), 2 if stderr else 1, text.encode())

    async def restart(self, *, live_restore: bool = False) -> None:
        """Restart the engine: connections drop, the event history is lost.

        Containers stop, and start again as their restart policies say; with `live_restore` they run on.
        """
        containers = list(self.state.containers.values())
        await self._server.close()
        self.state.events.close_readers()
        if not live_restore:
            for container in containers:
                self.lifecycle.shut_down(container)
        self.state.events.forget()
        if not live_restore:
            for container in containers:
                self.lifecycle.come_up(container)
        self.url = await self._server.listen(self.url, self._tls)


def _engine_id(name: str) -> str:
    """Twelve groups of four, as engines before 24 make theirs."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    text = "".join(letters[byte & 31] for byte in hashlib.sha512(name.encode()).digest()[:48])
    return ":".join(text[at : at + 4] for at in range(0, 48, 4))


def _port(port: str | int) -> str:
    text = str(port)
    return text if "/" in text else f"{text}/tcp"


def _binding(to: str | int | None) -> dict[str, str]:
    address, _, port = str("" if to is None else to).rpartition(":")
    return {"HostIp": address, "HostPort": port}
