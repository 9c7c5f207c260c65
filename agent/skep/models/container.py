"""A container as skep knows it: frozen, typed, parsed from an engine's JSON."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import msgspec

from skep.errors import EngineProtocolError, RequestError
from skep.models import _wire
from skep.models.kept import PACKED, SAME, SLOTS, kept, label, label_keys, packed, put_slots, slots_of
from skep.models.node import Node
from skep.models.pool import Pool
from skep.models.times import parse_time

__all__ = ["CPU_WEIGHT", "SWARM_ID", "Container", "ContainerState", "Endpoint", "Health", "Mount", "Port"]

SWARM_ID = "com.docker.swarm.id"
"""The label with an id that stays a container's own when it is made again on another node. Source: classic Swarm."""

CPU_WEIGHT = "skep.cpu-weight"
"""The label of a container whose CPU shares were asked for as a weight: an engine keeps them as it keeps those that mean whole CPUs."""

_LEAST_WEIGHT = 256
_SHARED_PORTS = 16  # of one container: more are not worth a place in the pool
_MOST_PORTS = 65536  # a range is written in few bytes; without a bound one request could name billions


class ContainerState(enum.StrEnum):
    """What a container does; Docker's words, and `pending` for one that is placed while its engine has not answered yet."""

    PENDING = "pending"
    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"

    @property
    def is_up(self) -> bool:
        """Whether its process lives: running, or frozen by pause."""
        return self in (ContainerState.RUNNING, ContainerState.PAUSED)


class Health(enum.StrEnum):
    """What a container's own health check says; `none` where it has no check."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port of a container, and where its host publishes it.

    `private` is the container's port; `public` the host's, None where it is exposed without being published, or, in a request, left
    to the engine to choose. `ip` is the host's address as the engine tells it: "" or "0.0.0.0" is every one.
    """

    private: int
    protocol: str = "tcp"
    public: int | None = None
    ip: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's end of one network. Addresses are "" where it has none (a stopped container, the host's network)."""

    network: str
    network_id: str = ""
    endpoint_id: str = ""
    ip: str = ""
    prefix_len: int = 0
    gateway: str = ""
    ipv6: str = ""
    mac_address: str = ""


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume or a directory of the host, mounted into a container at `destination`."""

    type: str
    name: str
    source: str
    destination: str
    driver: str = ""
    mode: str = ""
    rw: bool = True
    propagation: str = ""


@kept(ports=Port, mounts=Mount, networks=Endpoint)
@dataclass(frozen=True, eq=False, repr=False)
class Container:
    """One container on one node. Times are seconds since the epoch, 0.0 for never; sizes are bytes.

    `node` is the node's name, `image` what the container was created from as it was asked for, `exposed` the ports that image or
    request expose, `ports` what is exposed and published now, `bindings` what was asked to be published (they stay while the
    container is stopped). `nano_cpus` is the limit in billionths of a CPU, `cpu_shares` Docker's relative weight. `stop_signal` is what
    it is stopped by, as it was asked for (`SIGQUIT`, `3`); "" is the engine's SIGTERM.

    There may be tens of thousands: what an engine told of labels, environment, open ports, networks and mounts is kept packed, and unpacked each time that it is
    read (1 to 5 µs; `label` and `swarm_id` unpack nothing).
    """

    if TYPE_CHECKING:  # the slot behind `labels`, see `Part`; it is no field
        _labels: ClassVar[Any]

    id: str
    name: str
    node: str
    image: str = ""
    image_id: str = ""
    command: str = ""
    created: float = 0.0
    state: ContainerState = ContainerState.CREATED
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    restart_count: int = 0
    health: Health = Health.NONE
    hostname: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    env: tuple[str, ...] = ()
    exposed: tuple[Port, ...] = ()
    ports: tuple[Port, ...] = ()
    bindings: tuple[Port, ...] = ()
    networks: tuple[Endpoint, ...] = ()
    network_mode: str = ""
    links: tuple[str, ...] = ()
    volumes_from: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    memory: int = 0
    nano_cpus: int = 0
    cpu_shares: int = 0
    auto_remove: bool = False
    stop_signal: str = ""

    def __repr__(self) -> str:
        return f"<Container {self.node}/{self.name} {self.id[:12]} {self.state}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Container):
            return NotImplemented
        return slots_of(self) == slots_of(other) or (  # others may still be equal, packed otherwise
            _plain(self) == _plain(other) and _packed(self) == _packed(other)
        )

    def changed(self, **changes: Any) -> Self:
        """A copy with other values for some fields: `dataclasses.replace`, without unpacking what stays."""
        if not _KEPT_APART.isdisjoint(changes):
            return replace(self, **changes)
        new = object.__new__(type(self))
        put_slots(new, slots_of(self))
        same = list(cast(Any, self)._same)
        for name, value in changes.items():
            if name in _SAME_AT:
                same[_SAME_AT[name]] = value
            else:
                object.__setattr__(new, name, value)
        object.__setattr__(new, "_same", tuple(same))
        return new

    def label(self, key: str) -> str | None:
        """One label; None where it has none of that key."""
        return label(self, key)

    @property
    def label_keys(self) -> tuple[str, ...]:
        """The keys of its labels, in order."""
        return label_keys(self)

    @property
    def short_id(self) -> str:
        """The first 12 characters of the id, as docker shows it."""
        return self.id[:12]

    @property
    def swarm_id(self) -> str:
        """The id that stays its own when it is made again on another node (label `com.docker.swarm.id`); "" where it has none."""
        return self.label(SWARM_ID) or ""

    @property
    def environment(self) -> dict[str, str]:
        """`env` as a mapping. As in the container itself, the last entry of a name wins; an entry without `=` has the value ""."""
        return dict(entry.partition("=")[::2] for entry in self.env)

    @property
    def wanted_cpus(self) -> float:
        """The CPUs that a request reserves: its limit, or else its shares, which are whole CPUs as in Swarm.

        Shares from 256 on are nobody's CPUs but Docker's own relative weight (512 is half of the usual 1024): they reserve nothing.
        """
        if self.nano_cpus:
            return self.nano_cpus / 1e9
        return 0.0 if self.has_docker_weight else float(self.cpu_shares)

    @property
    def has_docker_weight(self) -> bool:
        """Whether a request's shares are a weight for the engine as they are, and no number of CPUs."""
        return self.cpu_shares >= _LEAST_WEIGHT

    def cpus_on(self, node: Node) -> float:
        """How many of the node's CPUs it reserves: its limit where it has one, else its share of 1024 for each CPU, as Swarm counts.

        Shares that were asked for as a weight (label `skep.cpu-weight`) reserve none.
        """
        if self.nano_cpus:
            return self.nano_cpus / 1e9
        return 0.0 if self.label(CPU_WEIGHT) is not None else float(self.cpu_shares * node.cpus // 1024)

    @classmethod
    def from_inspect(cls, data: bytes, node: str, pool: Pool | None = None) -> Container:
        """Parse an engine's answer to `GET /containers/{id}/json`. `pool`: what it shares with other containers.

        Raises `EngineProtocolError` where it is not what the Engine API says, naming the place.
        """
        try:
            return _from_wire(_INSPECT.decode(data), node, Pool() if pool is None else pool)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise EngineProtocolError(f"node {node}: unreadable container: {error}") from None

    @classmethod
    def from_create(cls, data: bytes, name: str) -> Container:
        """The container that a body of `POST /containers/create` asks for: state `pending`, no id, no node.

        Raises `RequestError` (400) where the body is not what the Engine API says, naming the place.
        """
        try:
            body = msgspec.json.decode(data, type=_wire.CreateBody)
            host, pool = body.host_config or _wire.HostConfig(), Pool()
            return cls(
                id="",
                name=name,
                node="",
                image=body.image,
                state=ContainerState.PENDING,
                hostname=body.hostname,
                labels=body.labels or {},
                env=tuple(body.env or ()),
                exposed=_bounded(_exposed(body.exposed_ports), pool),
                memory=host.memory or body.memory,
                cpu_shares=host.cpu_shares or body.cpu_shares,
                **_host_fields(host, pool),
            )
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RequestError(f"invalid container configuration: {error}") from None


_KEPT_APART = frozenset((*PACKED, "id", "hostname"))  # the host name may be told by the id
_SAME_AT = {name: at for at, name in enumerate(SAME)}
_plain, _packed = attrgetter(*SLOTS, "hostname", *SAME), attrgetter(*PACKED)
_INSPECT = msgspec.json.Decoder(_wire.ContainerInspect)


def _from_wire(data: _wire.ContainerInspect, node: str, pool: Pool) -> Container:
    state, config, host = data.state, data.config, data.host_config
    started, created = parse_time(state.started_at), parse_time(data.created)
    told = {
        "image": pool.text(config.image),
        "image_id": pool.text(data.image),
        "command": pool.text(_command(data.path, data.args or [])),
        "exposed": _bounded(_exposed(config.exposed_ports), pool),
        "memory": host.memory,
        "cpu_shares": host.cpu_shares,
        "stop_signal": pool.text(config.stop_signal),
        **_host_fields(host, pool),
    }
    slots = (
        data.id,
        data.name.removeprefix("/"),
        node,
        created,
        ContainerState(state.status or "created"),
        created if started == created else started,
        parse_time(state.finished_at),
        state.exit_code,
        data.restart_count,
        Health(state.health.status or "none") if state.health else Health.NONE,
        None if config.hostname == data.id[:12] else config.hostname,
    )
    parts = packed(
        pool,
        tuple([told[name] for name in SAME]),
        config.labels,
        config.env or (),
        _sorted(_ports(data.network_settings.ports)),
        [tuple(getattr(m, f) for f in _MOUNT_FIELDS) for m in data.mounts or ()],
        list(_endpoints(data.network_settings.networks or {})),
    )
    container = object.__new__(Container)
    put_slots(container, (*slots, *parts))
    return container


_MOUNT_FIELDS = ("type", "name", "source", "destination", "driver", "mode", "rw", "propagation")


def _host_fields(host: _wire.HostConfig, pool: Pool) -> dict[str, Any]:
    return {
        "bindings": _bounded(_ports(host.port_bindings), pool),
        "network_mode": pool.text(host.network_mode),
        "links": tuple(map(pool.text, host.links or ())),
        "volumes_from": tuple(map(pool.text, host.volumes_from or ())),
        "nano_cpus": host.nano_cpus,
        "auto_remove": host.auto_remove,
    }


def _command(path: str, args: list[str]) -> str:
    # as dockerd writes it in its listing: an argument with a blank in quotes
    return " ".join([path, *(f"'{arg}'" if " " in arg else arg for arg in args)]) if path else ""


_Port = tuple[int, str, int | None, str]


def _bounded(ports: Iterator[_Port], pool: Pool) -> tuple[Port, ...]:
    made = tuple(Port(*each) for each in _sorted(ports))
    if len(made) > _SHARED_PORTS:
        return made
    return pool.same(made, sum(len(port.protocol) + len(port.ip) for port in made))


def _sorted(ports: Iterator[_Port]) -> list[_Port]:
    found = list(itertools.islice(ports, _MOST_PORTS + 1))
    if len(found) > _MOST_PORTS:
        raise ValueError(f"more than {_MOST_PORTS} ports")
    return sorted(found, key=_port_order)


def _port_order(port: _Port) -> tuple[int, str, int, str]:
    return port[0], port[1], port[2] or 0, port[3]


def _port_key(text: str) -> tuple[int, str]:
    """`80/tcp`, `80`: number and protocol. Raises ValueError naming what is wrong."""
    number, _, protocol = text.partition("/")
    return _port_number(number, text), (protocol or "tcp").lower()


def _port_number(number: str, shown: str) -> int:
    if number.isascii() and number.isdigit() and len(number) <= 5 and int(number) <= 65535:
        return int(number)
    raise ValueError(f"invalid port {shown[:60]!r}: expected a number from 0 to 65535, such as 80/tcp")


def _exposed(exposed: dict[str, object] | None) -> Iterator[_Port]:
    for key in exposed or ():
        first, dash, last = key.partition("/")[0].partition("-")
        protocol = key.partition("/")[2]
        if not dash:
            yield *_port_key(key), None, ""
            continue
        for number in range(_port_number(first, key), _port_number(last, key) + 1):
            yield number, (protocol or "tcp").lower(), None, ""


def _ports(ports: _wire.PortMap) -> Iterator[_Port]:
    for key, bindings in (ports or {}).items():
        private, protocol = _port_key(key)
        if not bindings:
            yield private, protocol, None, ""
        for binding in bindings or ():
            for public in _host_ports(binding.host_port):
                yield private, protocol, public, binding.host_ip


def _host_ports(text: str) -> Iterator[int | None]:
    """A host's side of a binding: "" and "0" leave the choice to the engine; `8000-8010` is any one of a range, and claims them all."""
    if not text or text == "0":
        yield None
        return
    first, dash, last = text.partition("-")
    low = _port_number(first, text)
    yield from range(low, (_port_number(last, text) if dash else low) + 1)


def _endpoints(networks: dict[str, _wire.Endpoint | None]) -> Iterator[tuple[Any, ...]]:
    for name, end in sorted(networks.items()):
        if end is None:
            yield name, "", "", "", 0, "", "", ""
        else:
            yield (
                name,
                end.network_id,
                end.endpoint_id,
                end.ip,
                end.prefix_len,
                end.gateway,
                end.ipv6,
                end.mac_address,
            )
