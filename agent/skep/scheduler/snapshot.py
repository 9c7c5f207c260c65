"""What a decision was made of, as a file: the request, the rules with their settings, the cluster as it was, and the answer.

It holds no environment, no command and no row of an engine's own JSON. Labels are in it: rules look at them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Struct

from skep.cluster import ClusterState, PastNode
from skep.errors import RequestError
from skep.models import Container, ContainerState, Endpoint, Health, Image, Mount, Network, Node, Port, Volume
from skep.scheduler.decision import Decision
from skep.scheduler.placement import NodeExplanation

__all__ = ["Answer", "PlacedRequest", "RuleSettings", "Snapshot", "snapshot_nodes"]

FORMAT = 1


class KeptContainer(Struct, omit_defaults=True):
    """A container, as far as rules look at it; `key` is that of `NodeState.containers`."""

    key: str
    id: str = ""
    name: str = ""
    image: str = ""
    image_id: str = ""
    created: float = 0.0
    state: ContainerState = ContainerState.CREATED
    health: Health = Health.NONE
    labels: dict[str, str] = {}
    exposed: tuple[Port, ...] = ()
    ports: tuple[Port, ...] = ()
    bindings: tuple[Port, ...] = ()
    networks: tuple[str, ...] = ()
    network_mode: str = ""
    links: tuple[str, ...] = ()
    volumes_from: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    memory: int = 0
    nano_cpus: int = 0
    cpu_shares: int = 0

    @classmethod
    def of(cls, key: str, container: Container) -> KeptContainer:
        """What is kept of a container."""
        fields = {name: getattr(container, name) for name in _CONTAINER}
        return cls(key, **{**fields, "networks": tuple(each.network for each in container.networks)})

    def container(self, node: str) -> Container:
        """As a container on `node` again."""
        fields = {name: getattr(self, name) for name in _CONTAINER}
        return Container(node=node, **{**fields, "networks": tuple(map(Endpoint, self.networks))})


_CONTAINER = tuple(field.name for field in msgspec.structs.fields(KeptContainer) if field.name != "key")


class KeptNetwork(Struct, omit_defaults=True):
    """A network of a node."""

    id: str
    name: str
    driver: str = ""
    scope: str = "local"
    labels: dict[str, str] | None = None


class KeptVolume(Struct, omit_defaults=True):
    """A volume of a node."""

    name: str
    driver: str = "local"
    scope: str = "local"
    labels: dict[str, str] | None = None


class KeptNode(Struct, omit_defaults=True):
    """A node; `images` are places in the snapshot's list of images, which many nodes share."""

    node: Node
    containers: list[KeptContainer] = []
    images: list[int] = []
    networks: list[KeptNetwork] = []
    volumes: list[KeptVolume] = []


class PlacedRequest(Struct):
    """The request: name, body without environment, and the labels that keep each kind of scheduling entries."""

    name: str
    body: dict[str, Any]
    kinds: dict[str, str]


class RuleSettings(Struct):
    """Who was asked, in order, with the settings: what `[cluster]`, `[placement]` and the tables of plugins say."""

    filters: list[str]
    strategies: list[str]
    settings: dict[str, Any]


class Answer(Struct):
    """What was decided, and of each node what was told of it."""

    chosen: str | None
    relaxed: bool
    given_up: list[str]
    nodes: list[NodeExplanation]

    @classmethod
    def of(cls, decision: Decision) -> Answer:
        """That of a decision."""
        answers = decision.answers
        return cls(answers.chosen_name, decision.relaxed, list(decision.given_up), answers.explain())


class Snapshot(Struct):
    """Everything that a decision depends on, and the decision."""

    decision: dict[str, Any]
    request: PlacedRequest
    rules: RuleSettings
    answer: Answer
    nodes: list[KeptNode]
    images: list[Image]
    format: int = FORMAT

    @classmethod
    def read(cls, data: bytes) -> Snapshot:
        """Read one. Raises RequestError naming the place where it is none."""
        try:
            found = msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise RequestError(f"no recorded decision: {error}") from None
        if found.format != FORMAT:
            raise RequestError(f"a recorded decision of format {found.format}: expected format {FORMAT}")
        return found

    def state(self) -> ClusterState:
        """The cluster as it was. Raises RequestError for what no cluster can be."""
        state = ClusterState()
        for kept in self.nodes:
            name = kept.node.name
            if state.get_node(name) is not None:
                raise RequestError(f"no recorded decision: node {name[:60]} comes twice")
            node = state.put_node(kept.node)
            for each in sorted(
                kept.containers, key=lambda each: not each.id
            ):  # what is under way ends when it is there
                state.put_container(each.container(name), key=each.key)
            ordered = {each.key: node.containers[each.key] for each in kept.containers if each.key in node.containers}
            node.containers.clear()
            node.containers.update(ordered)
            try:
                state.put_images(name, tuple(self.images[place] for place in kept.images))
            except IndexError:
                raise RequestError(f"no recorded decision: node {name[:60]} has an image that is not there") from None
            state.put_networks(name, tuple(Network(**_fields(each)) for each in kept.networks))
            state.put_volumes(name, tuple(Volume(**_fields(each)) for each in kept.volumes))
        return state


def snapshot_nodes(nodes: Sequence[PastNode]) -> tuple[list[KeptNode], list[Image]]:
    """Nodes as they are written to a snapshot, and the images that they point at."""
    places: dict[tuple[Any, ...], int] = {}
    images: list[Image] = []

    def place(image: Image) -> int:
        key = (image.id, image.tags, image.digests)
        if key not in places:
            places[key] = len(images)
            images.append(replace(image, labels=None, parent=""))
        return places[key]

    kept = [
        KeptNode(
            each.node,
            [KeptContainer.of(key, container) for key, container in each.containers.items()],
            [place(image) for image in each.images],
            [KeptNetwork(*(getattr(network, name) for name in _NETWORK)) for network in each.networks],
            [KeptVolume(*(getattr(volume, name) for name in _VOLUME)) for volume in each.volumes],
        )
        for each in nodes
    ]
    return kept, images


_NETWORK, _VOLUME = KeptNetwork.__struct_fields__, KeptVolume.__struct_fields__


def _fields(each: Struct) -> dict[str, Any]:
    return {name: getattr(each, name) for name in each.__struct_fields__}
