"""From the cluster's state to the model: pure, deterministic, and one container's mistake is its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from skep import ClusterState, Container, ContainerState, Health, NodeState
from skep_nginx.model import Host, Server
from skep_nginx.reach import View, choose_port, find_server
from skep_nginx.wishes import Wish, read_wish

__all__ = ["Backend", "Collector", "HealthRule", "Picture", "Rejection"]

HealthRule = Literal["healthy", "not-unhealthy", "ignore"]


@dataclass(frozen=True, slots=True)
class Backend:
    """A container that names hosts. `servers` are where it answers, by its own ports; there are none where it gets no requests now
    (it is stopped, not healthy, …). `created` is when, in seconds since the epoch.
    """

    id: str
    name: str
    node: str
    wish: Wish
    servers: tuple[tuple[int | None, Server], ...] = ()
    created: float = 0.0

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
    """A container that is left out alone, and why. `by`: its `value` is wrong, it is not in `reach`, or `nginx` refuses it."""

    id: str
    name: str
    node: str
    by: Literal["value", "reach", "nginx"]
    reason: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What the cluster's state asks of nginx."""

    backends: tuple[Backend, ...] = ()
    rejections: tuple[Rejection, ...] = ()


@dataclass
class Collector:
    """Reads the state again and again; what did not change is not parsed again."""

    health: HealthRule = "healthy"
    most_hosts: int = 32
    reserved: frozenset[str] = frozenset()
    _known: dict[str, tuple[Container, Wish | str | None]] = field(default_factory=dict)

    def collect(self, state: ClusterState, view: View, leaving: Collection[str] = ()) -> Picture:
        """The picture now. `leaving` are ids of containers that are about to be stopped."""
        backends: list[Backend] = []
        rejections: list[Rejection] = []
        known: dict[str, tuple[Container, Wish | str | None]] = {}
        for node in state.nodes:
            drivers = {network.id: network.driver for network in node.networks}
            for container in node.containers.values():
                if not container.id:  # a placement under way
                    continue
                wish = self._wish(container)
                known[container.id] = container, wish
                if isinstance(wish, str):
                    rejections.append(_reject(container, "value", wish))
                elif wish is not None:
                    servers: dict[int | None, Server] = {}
                    if container.id not in leaving and self._serves(container, node):
                        for port in wish.ports:
                            try:
                                servers[port] = find_server(
                                    view, container, node.node, choose_port(container, port), drivers
                                )
                            except ValueError as error:
                                rejections.append(_reject(container, "reach", str(error)))
                    backends.append(
                        Backend(
                            container.id,
                            container.name,
                            container.node,
                            wish,
                            tuple(servers.items()),
                            container.created,
                        )
                    )
        self._known = known
        return Picture(
            tuple(sorted(backends, key=lambda each: (each.node, each.name, each.id))),
            tuple(sorted(rejections, key=lambda each: (each.node, each.name, each.id))),
        )

    def _wish(self, container: Container) -> Wish | str | None:
        """What it asks for, or what is wrong with that."""
        before, wish = self._known.get(container.id, (None, None))
        if before is container:
            return wish
        try:
            wish = read_wish(container, most_hosts=self.most_hosts)
        except ValueError as error:
            return str(error)
        for host in wish.hosts if wish else ():
            if host in self.reserved:
                return f"VIRTUAL_HOST has {host!r}: the settings reserve this name"
        return wish

    def _serves(self, container: Container, node: NodeState) -> bool:
        if container.state is not ContainerState.RUNNING or not node.node.is_healthy:
            return False
        if self.health == "healthy":
            return container.health in (Health.NONE, Health.HEALTHY)
        return self.health == "ignore" or container.health is not Health.UNHEALTHY


def _reject(container: Container, by: Literal["value", "reach"], reason: str) -> Rejection:
    return Rejection(container.id, container.name, container.node, by, reason)
