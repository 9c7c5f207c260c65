"""From the cluster's state to the model: pure, deterministic, and one container's mistake is its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from skep import ClusterState, Container, ContainerState, Health, Node, NodeState
from skep_nginx.flaps import Flaps
from skep_nginx.model import Host, Server
from skep_nginx.overlap import share_names
from skep_nginx.reach import View, choose_port, find_server
from skep_nginx.starts import Starts
from skep_nginx.values import short
from skep_nginx.wishes import Wish, read_wish

__all__ = ["Backend", "Collector", "HealthRule", "Picture", "Rejection"]

_CREATED = "it was not started yet"

HealthRule = Literal["healthy", "not-unhealthy", "ignore"]


@dataclass(frozen=True, slots=True)
class Backend:
    """A container that names hosts. `servers` are where it answers, by its own ports; there are none where it gets no requests now
    (it is stopped, not healthy, …), and `why` says why. `created` is when, in seconds since the epoch.
    """

    id: str
    name: str
    node: str
    wish: Wish
    servers: tuple[tuple[int | None, Server], ...] = ()
    created: float = 0.0
    why: str = field(default="", compare=False)

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The names of its sites."""
        return self.wish.hosts

    @property
    def server(self) -> Server | None:
        """Where it answers, at one of its ports; None where it gets no requests now."""
        return self.servers[0][1] if self.servers else None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A container that is left out alone, and why. `by`: its `value` is wrong, it is not in `reach`, a host is another `owner`'s, or `nginx` refuses it."""

    id: str
    name: str
    node: str
    by: Literal["value", "reach", "owner", "nginx"]
    reason: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What the cluster's state asks of nginx. `idle` were never started, so their sites are nothing yet; `held` is the least number of
    seconds after which one that flapped may have requests again, None where there is none.
    """

    backends: tuple[Backend, ...] = ()
    rejections: tuple[Rejection, ...] = ()
    idle: tuple[Backend, ...] = ()
    held: float | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """What decides, besides a container itself, where it is reached."""

    view: View
    node: Node
    drivers: dict[str, str]

    def is_like(self, other: _Place) -> bool:
        """Whether all containers are reached as before."""
        same = (self.node.name, self.node.ip) == (other.node.name, other.node.ip)
        return same and self.view == other.view and self.drivers == other.drivers


@dataclass(slots=True)
class _Known:
    """One container as the state has it: what it asks for, or what is wrong with that, and what came of it last time."""

    container: Container
    wish: Wish | str | None
    place: _Place | None = None
    why: str = ""
    backend: Backend | None = None
    unreached: tuple[Rejection, ...] = ()

    def follow(self, place: _Place, why: str) -> None:
        """Make its backend anew where something changed: as it is, unpacking a container's ports and networks is most of the work."""
        if (self.place is place and self.why == why and self.backend is not None) or not isinstance(self.wish, Wish):
            return
        self.place, self.why = place, why
        servers: dict[int | None, Server] = {}
        unreached: list[Rejection] = []
        own = self.container
        for port in () if why else self.wish.ports:
            try:
                servers[port] = find_server(place.view, own, place.node, choose_port(own, port), place.drivers)
            except ValueError as error:
                unreached.append(_reject(own, "reach", str(error)))
        self.unreached = tuple(unreached)
        self.backend = Backend(own.id, own.name, own.node, self.wish, tuple(servers.items()), own.created, why)


@dataclass
class Collector:
    """Reads the state again and again; what did not change is not parsed again."""

    health: HealthRule = "healthy"
    most_hosts: int = 32
    reserved: frozenset[Host] = frozenset()
    flaps: Flaps = field(default_factory=Flaps)
    starts: Starts = field(default_factory=Starts)
    regexes: bool = True
    owner_label: str = ""
    filters: tuple[tuple[str, str, str], ...] = ()
    _known: dict[str, _Known] = field(default_factory=dict)
    _places: dict[str, _Place] = field(default_factory=dict)

    def collect(self, state: ClusterState, view: View, leaving: Collection[str] = ()) -> Picture:
        """The picture now. `leaving` are ids of containers that are about to be stopped."""
        backends: list[Backend] = []
        rejections: list[Rejection] = []
        known: dict[str, _Known] = {}
        places: dict[str, _Place] = {}
        for node in state.nodes:
            place = places[node.name] = self._place(node, view)
            for container in node.containers.values():
                if not container.id:  # a placement under way
                    continue
                one = known[container.id] = self._look(container)
                if isinstance(one.wish, str):
                    rejections.append(_reject(container, "value", one.wish))
                elif one.wish is not None:
                    one.follow(
                        place, "it is being stopped" if container.id in leaving else self._refusal(container, node)
                    )
                    rejections += one.unreached
                    backends += filter(None, (one.backend,))
        self._places = places
        self._known = known
        self.flaps.keep(known)
        self.starts.keep(known)
        flapped = (self.flaps.held(id_) for id_ in known) if self._damps else ()
        return _picture(backends, rejections, [*filter(None, flapped), *self.starts.all_held()])

    def _place(self, node: NodeState, view: View) -> _Place:
        """The same object as long as it is the same place."""
        place = _Place(view, node.node, {network.id: network.driver for network in node.networks})
        before = self._places.get(node.name)
        return before if before is not None and before.is_like(place) else place

    def _look(self, container: Container) -> _Known:
        before = self._known.get(container.id)
        if before is not None and before.container is container:
            return before
        return _Known(container, self._wish(container))

    def _wish(self, container: Container) -> Wish | str | None:
        """What it asks for, or what is wrong with that."""
        if not all(_holds(container, *entry) for entry in self.filters):
            return None
        try:
            wish = read_wish(container, most_hosts=self.most_hosts, regexes=self.regexes, owner_label=self.owner_label)
        except ValueError as error:
            return str(error)
        for host in wish.hosts if wish else ():
            if any(share_names(name, host) for name in self.reserved):
                return f"VIRTUAL_HOST has {short(host)}: the settings reserve this name"
        return wish

    @property
    def _damps(self) -> bool:
        return self.health != "ignore"

    def _refusal(self, container: Container, node: NodeState) -> str:
        """Why a container gets no requests now; "" for one that gets some."""
        self.flaps.note(container)
        self.starts.note(container)
        if container.state is ContainerState.CREATED:
            return _CREATED
        if container.state is not ContainerState.RUNNING:
            return f"it is {container.state.value}"
        if not node.node.is_healthy:
            return f"its node does not answer: {node.node.error}"
        if held := self.starts.held(container.id):
            return f"it was started {self.starts.count(container.id)} times lately: up for {held:.1f} s more, it gets requests"
        if not self._damps or container.health is Health.NONE:
            return ""
        if container.health is Health.UNHEALTHY or (self.health == "healthy" and container.health is Health.STARTING):
            return (
                "its health check fails"
                if container.health is Health.UNHEALTHY
                else "its health check has not passed yet"
            )
        if held := self.flaps.held(container.id):
            return f"it was unhealthy {self.flaps.count(container.id)} times lately: healthy for {held:.1f} s more, it returns"
        return ""


def _holds(container: Container, kind: str, name: str, value: str) -> bool:
    """Whether a filter holds for a container."""
    if kind == "label":
        return name in container.labels and value in ("", container.labels[name])
    if kind == "network":
        return any(name in (end.network, end.network_id) for end in container.networks)
    return name in container.name


def _picture(backends: list[Backend], rejections: list[Rejection], held: list[float]) -> Picture:
    backends.sort(key=lambda each: (each.node, each.name, each.id))
    return Picture(
        tuple(each for each in backends if each.why != _CREATED),
        tuple(sorted(rejections, key=lambda each: (each.node, each.name, each.id))),
        tuple(each for each in backends if each.why == _CREATED),
        min(held, default=None),
    )


def _reject(container: Container, by: Literal["value", "reach"], reason: str) -> Rejection:
    return Rejection(container.id, container.name, container.node, by, reason)
