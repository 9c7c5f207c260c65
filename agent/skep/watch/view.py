"""What a watch tells, and to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from skep.engine import EngineEvent
from skep.errors import SkepError
from skep.models import Container, Image, Network, Node, Volume

__all__ = ["Snapshot", "View"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An engine's whole state. What could not be read is as it was last known (None: never)."""

    node: Node
    containers: Mapping[str, Container]
    images: Sequence[Image] | None
    networks: Sequence[Network] | None
    volumes: Sequence[Volume] | None


class View(Protocol):
    """Who is told what a watch learns. Plain functions, called in the order in which things were learnt; none may wait.

    After `load` each change is told once, until `failed`; then comes the next `load`.
    """

    @property
    def wants_events(self) -> bool:
        """Whether `event` is to be called."""

    def identify(self, node: Node) -> None:
        """The engine shows itself as this, before its state is read. Raise SkepError to have none of it; it is asked again later."""

    def load(self, snapshot: Snapshot) -> None:
        """All of its state, at the beginning of each session."""

    def failed(self, error: SkepError) -> None:
        """It is not known any more whether what is known is true. Called again with each attempt that fails."""

    def put_node(self, node: Node) -> None:
        """What the engine says of itself; also when nothing changed, as a sign of life."""

    def put_container(self, id_: str, container: Container | None) -> None:
        """One container is otherwise than it was; None: gone."""

    def put_images(self, images: Sequence[Image]) -> None:
        """All images."""

    def put_networks(self, networks: Sequence[Network]) -> None:
        """All networks."""

    def put_volumes(self, volumes: Sequence[Volume]) -> None:
        """All volumes."""

    def event(self, event: EngineEvent) -> None:
        """One of the engine's own events; the state that it tells of was told before."""
