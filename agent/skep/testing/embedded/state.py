"""What one engine knows: containers, images, networks, volumes, execs, and how they are found by name."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .errors import EngineError, no_such_container
from .events import Attributes, EventLog
from .output import Output
from .programs import Process

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
Json = dict[str, Any]
PortMap = dict[str, list[dict[str, str]] | None]


@dataclass(slots=True)
class Image:
    """An image: `tags` name it (``busybox:latest``), `config` is what containers inherit."""

    id: str
    tags: list[str]
    config: Json
    created: int
    size: int
    parent: str = ""
    comment: str = ""
    digests: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Endpoint:
    """A container's end of a network; the address is empty while the container does not run."""

    network_id: str
    endpoint_id: str = ""
    address: str = ""
    gateway: str = ""
    prefix: int = 0
    mac: str = ""
    aliases: list[str] | None = None
    links: list[str] | None = None


@dataclass(slots=True)
class Network:
    """A network of this engine."""

    id: str
    name: str
    driver: str
    created: int
    subnet: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    internal: bool = False
    attachable: bool = False
    used: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Volume:
    """A named volume."""

    name: str
    created: int
    driver: str = "local"
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None


@dataclass(slots=True)
class Exec:
    """A command run in a container by `docker exec`."""

    id: str
    container: Container
    argv: list[str]
    config: Json
    output: Output
    process: Process | None = None
    running: bool = False
    exit_code: int | None = None
    pid: int = 0


@dataclass(slots=True, eq=False)
class Container:
    """A container, simulated: its configuration and where it stands."""

    id: str
    name: str
    image_id: str
    config: Json
    host: Json
    created: int
    networks: dict[str, Endpoint] = field(default_factory=dict)
    mounts: list[Json] = field(default_factory=list)
    status: str = "created"
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    started: int = 0
    finished: int = 0
    oom_killed: bool = False
    health: str = ""
    health_log: list[Json] = field(default_factory=list)
    restarts: int = 0
    stopped_by_hand: bool = False
    ports: PortMap | None = None
    process: Process | None = None
    early_input: list[bytes] = field(default_factory=list)
    output: Output | None = None
    restart_timer: asyncio.TimerHandle | None = None
    exit_waiters: list[asyncio.Future[int]] = field(default_factory=list)
    removal_waiters: list[asyncio.Future[int]] = field(default_factory=list)
    execs: list[str] = field(default_factory=list)
    row: Json | None = None
    attributes: Attributes | None = None

    @property
    def running(self) -> bool:
        """True as the engine means it: paused and restarting containers run too."""
        return self.status in ("running", "paused", "restarting")

    @property
    def argv(self) -> list[str]:
        """Entry point and command together."""
        return [*(self.config.get("Entrypoint") or []), *(self.config.get("Cmd") or [])]

    def changed(self) -> None:
        """Forget the cached list row and event attributes."""
        self.row = self.attributes = None

    def event_attributes(self) -> Attributes:
        """What every event about this container carries: labels, image, name."""
        if self.attributes is None:
            labels = self.config.get("Labels") or {}
            self.attributes = {**labels, "image": self.config.get("Image", ""), "name": self.name}
        return self.attributes


class State:
    """All objects of one engine, by id; names are looked up as a real engine looks them up."""

    def __init__(self) -> None:
        self.containers: dict[str, Container] = {}
        self.names: dict[str, str] = {}
        self.images: dict[str, Image] = {}
        self.networks: dict[str, Network] = {}
        self.volumes: dict[str, Volume] = {}
        self.execs: dict[str, Exec] = {}
        self.links: dict[str, list[tuple[Container, str]]] = {}
        self.events = EventLog()
        self.meetings: dict[str, asyncio.Future[bytes]] = {}

    def container(self, name: str) -> Container:
        """By full id, then name, then a prefix of the id that fits one container only."""
        name = name.removeprefix("/")
        if found := self.containers.get(name) or self.containers.get(self.names.get(name, "")):
            return found
        matches = [c for id_, c in self.containers.items() if name and id_.startswith(name)]
        if len(matches) > 1:
            raise EngineError(500, f"Multiple IDs found with provided prefix: {name}")
        if not matches:
            raise no_such_container(name)
        return matches[0]

    def find_container(self, name: str) -> Container | None:
        """As `container`, but None when there is none."""
        try:
            return self.container(name)
        except EngineError:
            return None

    def claim_name(self, name: str, container_id: str) -> None:
        """Reserve a name. Raises EngineError: 400 for a name that cannot be one, 409 for a taken one."""
        if not _NAME.fullmatch(name):
            raise EngineError(400, f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        if owner := self.names.get(name):
            raise EngineError(
                409,
                f'Conflict. The container name "/{name}" is already in use by container "{owner}". '
                "You have to remove (or rename) that container to be able to reuse that name.",
            )
        self.names[name] = container_id

    def network(self, name: str) -> Network:
        """By id, name or prefix of the id."""
        if found := self.networks.get(name):
            return found
        for network in self.networks.values():
            if network.name == name:
                return network
        matches = [n for id_, n in self.networks.items() if name and id_.startswith(name)]
        if len(matches) == 1:
            return matches[0]
        raise EngineError(404, f"network {name} not found")

    def volume(self, name: str) -> Volume:
        """By name."""
        if name not in self.volumes:
            raise EngineError(404, f"get {name}: no such volume")
        return self.volumes[name]

    def users_of_volume(self, name: str) -> list[Container]:
        """The containers, running or not, that mount a volume."""
        return [c for c in self.containers.values() if any(m.get("Name") == name for m in c.mounts)]

    def emit_container(self, container: Container, action: str, **extra: str) -> None:
        """Record an event about a container."""
        attributes = container.event_attributes()
        self.events.emit("container", action, container.id, {**attributes, **extra} if extra else attributes)


def new_id(taken: Iterable[str] = ()) -> str:
    """64 hexadecimal digits, not among `taken`, and not all decimal in the first twelve."""
    while True:
        id_ = secrets.token_hex(32)
        if id_ not in taken and not id_[:12].isdigit():
            return id_
