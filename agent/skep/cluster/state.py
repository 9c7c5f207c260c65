"""The known state of all nodes, with the indexes that placement and listings need. No I/O, no clock."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from skep.cluster import lookup
from skep.cluster.containers import ContainerIndex, is_swarm_id
from skep.cluster.journal import Journal
from skep.cluster.lines import Lines, regex_of
from skep.cluster.masks import Masks
from skep.cluster.nodeset import NodeSet, mask_of
from skep.cluster.standing import KeyIndex, Ranks, Standing, TestIndex
from skep.expressions import Expression
from skep.models import Container, ContainerState, Image, Network, Node, Volume, natural_key

__all__ = ["ClusterState", "NodeState", "reservation_key"]

_UNDER_WAY = "placement:"
_PORT = 100  # bytes
_LIGHT = 2**15  # bytes, of what one container alone may hold without being counted


class NodeState:
    """One node and everything known on it. Read it; changes go through `ClusterState`.

    `containers` is by key: a container's id, or the key of a placement under way, whose container is `pending`.
    `version` is the cluster's when something of the node changed last. `memory_used` is what its containers of any state reserve, in bytes. `heavy` are those of its containers, by key, that take far more bytes than
    most, and how many, about.
    """

    __slots__ = (
        "_text",
        "containers",
        "heavy",
        "images",
        "memory_used",
        "nano_cpus_used",
        "networks",
        "node",
        "ordinal",
        "version",
        "volumes",
    )

    def __init__(self, node: Node) -> None:
        self.node = node
        self.ordinal = -1  # its number in the natural order of names; none where it is not in the state
        self._text: bytes | None = None
        self.containers: dict[str, Container] = {}
        self.images: Sequence[Image] = ()
        self.networks: Sequence[Network] = ()
        self.volumes: Sequence[Volume] = ()
        self.memory_used = 0
        self.nano_cpus_used = 0
        self.heavy: dict[str, int] = {}
        self.version = 0

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name

    @property
    def cpus_used(self) -> float:
        """How many CPUs its containers of any state reserve."""
        return self.nano_cpus_used / 1e9

    def container_text(self) -> bytes:
        """The names and ids of its containers, one a line, to be searched all at once."""
        if self._text is None:
            lines = [text for each in self.containers.values() for text in (each.name, each.id) if text]
            self._text = "\n".join(lines).encode("utf-8", "replace")
        return self._text

    def containers_changed(self) -> None:
        """For the state: a container has come or gone."""
        self._text = None

    def __repr__(self) -> str:
        return f"<NodeState {self.name} {self.node.status}, {len(self.containers)} containers>"


class ClusterState:
    """All nodes. Every change is synchronous, so a decision that does not await sees one consistent state.

    `version` grows with every change; `nodes_version` is what it was when a node came or went, or what is known of a node itself changed.
    """

    def __init__(self) -> None:
        self.version = 0
        self.nodes_version = 0
        self._by_name: dict[str, NodeState] = {}
        self._order: list[NodeState] = []
        self._containers = ContainerIndex()
        self._masks = Masks(self._order)
        self._standing = Standing()
        self.journal = Journal(self._order)
        """What nodes were like at moments that were marked; see `skep.cluster.journal`."""

    # -- nodes

    @property
    def nodes(self) -> Sequence[NodeState]:
        """All nodes, in the natural order of their names."""
        return self._order

    def get_node(self, name: str) -> NodeState | None:
        """The node of that name."""
        return self._by_name.get(name)

    def put_node(self, node: Node) -> NodeState:
        """Add a node, or replace what is known of the node itself; its containers, images and so on stay."""
        self.version += 1
        self.nodes_version = self.version
        state = self._by_name.get(node.name)
        if state is None:
            self.journal.moving()
            state = self._by_name[node.name] = NodeState(node)
            state.version = self.version
            key = natural_key(node.name)
            place = bisect_right(self._order, key, key=lambda each: natural_key(each.name))
            self._order.insert(place, state)
            self._number(place)
            self._masks.node_joined(state)
            self._standing.note(state)
            return state
        self.journal.changing(state)
        old, state.node = state.node, node
        state.version = self.version
        if old.is_healthy is not node.is_healthy:
            self._masks.health_changed(state)
        if old.id != node.id:
            self._masks.identity_changed()
        if old.labels != node.labels:
            self._masks.labels_changed(state, old.labels)
        if old.cpus != node.cpus:
            state.nano_cpus_used = sum(_nano_cpus(container, node) for container in state.containers.values())
        self._standing.note(state)
        return state

    def remove_node(self, name: str) -> None:
        """Forget a node with everything on it. Raises KeyError."""
        state = self._by_name.pop(name)
        self.journal.changing(state)
        self.journal.moving()
        self._changed(state)
        self.nodes_version = self.version
        containers, state.containers = state.containers, {}
        for key, container in containers.items():
            self._containers.remove(container)
            self._standing.note(state, container, -1, state.heavy.get(key, 0))
        place, state.ordinal = state.ordinal, -1
        del self._order[place]
        self._number(place)
        self._masks.node_left(place)
        self._standing.note(state)

    def _number(self, place: int) -> None:
        """Number the nodes from there on."""
        for ordinal in range(place, len(self._order)):
            self._order[ordinal].ordinal = ordinal
        self._standing.renumbered()

    # -- what is on a node

    def put_container(self, container: Container, *, key: str = "") -> None:
        """Add or replace a container on its node (`container.node`). `key`: for one that has no id yet. Raises KeyError."""
        state = self._by_name[container.node]
        self._changed(state)
        before = len(state.containers)
        key = key or container.id
        self.journal.changing(state)
        if self._take_out(state, key) is None and container.id and container.swarm_id:
            # the reservation that it was made under, see `reservation_key`; or it would count twice until that is released
            waiting = state.containers.get(reservation_key(container))
            if waiting is not None and waiting.name in ("", container.name):  # not another's, whose label it repeats
                self._take_out(state, reservation_key(container))
        state.containers[key] = container
        state.containers_changed()
        self._containers.add(container)
        state.memory_used += max(0, container.memory)
        state.nano_cpus_used += _nano_cpus(container, state.node)
        if weight := _weight(container):
            state.heavy[key] = weight
        self._standing.note(state, container, 1, weight)
        self._count(state, before)

    def remove_container(self, node: str, key: str) -> Container | None:
        """Forget a container, and return it; None if it was not known."""
        state = self._by_name.get(node)
        if state is None:
            return None
        before = len(state.containers)
        self.journal.changing(state)
        container = self._take_out(state, key)
        if container is not None:
            self._changed(state)
            self._count(state, before)
        return container

    def _take_out(self, state: NodeState, key: str) -> Container | None:
        container = state.containers.pop(key, None)
        if container is None:
            return None
        state.containers_changed()
        self._containers.remove(container)
        state.memory_used -= max(0, container.memory)
        state.nano_cpus_used -= _nano_cpus(container, state.node)
        self._standing.note(state, container, -1, state.heavy.pop(key, 0))
        return container

    def _changed(self, state: NodeState) -> None:
        self.version += 1
        state.version = self.version

    def _count(self, state: NodeState, before: int) -> None:
        if before != len(state.containers):
            self._masks.count_changed(state, before)

    def put_images(self, node: str, images: Sequence[Image]) -> None:
        """Replace a node's images. Raises KeyError."""
        state = self._by_name[node]
        self.journal.changing(state)
        before, state.images = state.images, images
        self._changed(state)
        self._masks.images_changed(state, before)
        self._standing.note(state)

    def put_networks(self, node: str, networks: Sequence[Network]) -> None:
        """Replace a node's networks. Raises KeyError."""
        state = self._by_name[node]
        self.journal.changing(state)
        state.networks = networks
        self._changed(state)
        self._standing.note(state)

    def put_volumes(self, node: str, volumes: Sequence[Volume]) -> None:
        """Replace a node's volumes. Raises KeyError."""
        state = self._by_name[node]
        self.journal.changing(state)
        state.volumes = volumes
        self._changed(state)
        self._standing.note(state)

    # -- what listings need

    def containers(self) -> Iterator[Container]:
        """All containers of all nodes, those under way too."""
        for state in self._order:
            yield from state.containers.values()

    def named(self, name: str) -> Sequence[Container]:
        """The containers of exactly that name, on any node, those under way too."""
        return self._containers.named(name)

    def with_id(self, prefix: str) -> Iterator[Container]:
        """The containers whose id, or whose label `com.docker.swarm.id`, begins so; one may come twice."""
        return self._containers.with_id(prefix)

    def is_free_id(self, swarm_id: str) -> bool:
        """Whether a new container may have this id from Swarm: it is one, and no container of a healthy node and none under way has it."""
        key = f"{_UNDER_WAY}{swarm_id}"
        holders = {each.node for each in self.with_id(swarm_id) if swarm_id in (each.id, each.swarm_id)}
        return (
            is_swarm_id(swarm_id)
            and not any(self._by_name[node].node.is_healthy for node in holders)
            and not any(key in state.containers for state in self._order)
        )

    def find_container(self, reference: str) -> Container:
        """The container of that id, name or beginning of an id; see `skep.cluster.lookup`.

        Raises NotFoundError; ConflictError naming the candidates where several fit.
        """
        return lookup.find_container(self, reference)

    def find_images(self, reference: str) -> list[tuple[NodeState, Image]]:
        """All nodes with an image of that id, beginning of an id, tag or digest. Raises NotFoundError."""
        return lookup.find_images(self, reference)

    def find_image(self, reference: str) -> tuple[NodeState, Image]:
        """The first of `find_images`, healthy nodes before others. Raises NotFoundError."""
        return lookup.find_image(self, reference)

    def find_network(self, reference: str) -> tuple[NodeState, Network]:
        """The network of that id, name, `node/name` or beginning of an id. Raises NotFoundError, ConflictError."""
        return lookup.find_network(self, reference)

    def find_volumes(self, reference: str) -> list[tuple[NodeState, Volume]]:
        """All nodes with a volume of that name or `node/name`. Raises NotFoundError."""
        return lookup.find_volumes(self, reference)

    def find_volume(self, reference: str) -> tuple[NodeState, Volume]:
        """The one volume of that name or `node/name`. Raises NotFoundError, ConflictError."""
        return lookup.find_volume(self, reference)

    # -- what placement needs: sets of nodes

    def node_set(self, nodes: Iterable[NodeState]) -> NodeSet:
        """These nodes as a set."""
        return NodeSet(mask_of(list(nodes)), self._order)

    def all_nodes(self) -> NodeSet:
        """Every node."""
        return NodeSet(self._masks.all, self._order)

    def healthy_nodes(self) -> NodeSet:
        """Those whose state is known now."""
        return NodeSet(self._masks.healthy(), self._order)

    def with_label(self, label: str, test: Callable[[str], bool], *, key: Hashable = None) -> NodeSet:
        """The nodes whose label passes; a node without it counts as "". `test` is called once per distinct value.

        With a `key`, as in `with_container`, the answer is kept until a node's labels change.
        """
        return NodeSet(self._masks.with_label(label, test, key), self._order)

    def with_container(
        self,
        test: Callable[[Container], bool],
        *,
        key: Hashable = None,
        first: Callable[[], Iterable[NodeState]] | None = None,
    ) -> NodeSet:
        """The nodes that hold a container that passes, those under way included.

        `test` is called for every container, unless `key` names it: then the answer is kept, and later only what changed is tested.
        A key stands for one test, whoever asks; begin it with the plugin's name. `first` gives the first answer where that can be
        had quicker, from another index or from the nodes' `container_text`.
        """
        if key is None:
            return self.node_set(s for s in self._order if any(test(c) for c in s.containers.values()))
        return NodeSet(self._standing.tests(key, lambda: TestIndex(test, self._order, first)).mask, self._order)

    def with_node(self, test: Callable[[Node], bool], *, key: Hashable) -> NodeSet:
        """The nodes that pass, by what stays the same of them: name, id, labels. `key` as in `with_container`."""
        return NodeSet(self._masks.with_node(test, key), self._order)

    def with_container_label(self, expression: Expression) -> NodeSet:
        """The nodes that hold a container whose label of the expression's key fits its value, whatever its operator.

        A container without that label counts as "".
        """
        label, value, fits = expression.key, expression.value, expression.equals
        key = ("skep", "label", label)
        if not self._standing.has_containers(key) and not self._has_container_label(label):
            # a request may ask for a hundred such: no index of each is made
            return self.node_set([node for node in self._order if node.containers] if fits("") else ())

        def index() -> KeyIndex:
            return self._standing.containers(key, lambda each: (each.label(label) or "",), self._order)

        if expression.pattern is None:
            return NodeSet(index().mask(value), self._order)

        def first() -> NodeSet:
            found, mask = index(), 0
            for each in found:
                if fits(str(each)):
                    mask |= found.mask(each)
            return NodeSet(mask, self._order)

        return self.with_container(
            lambda each: fits(each.label(label) or ""), key=(*key, value, regex_of(expression)), first=first
        )

    def _has_container_label(self, label: str) -> bool:
        """Whether any container has a label of that key."""
        keys = self._standing.containers(("skep", "label keys"), lambda each: (each.label_keys,), self._order)
        return any(label in each for each in keys)  # type: ignore[operator]

    def with_container_like(self, expression: Expression) -> NodeSet:
        """The nodes that hold a container whose name or id fits the expression's value, whatever its operator.

        A value that is no pattern also fits the short form of an id.
        """
        value = expression.value
        if expression.pattern is None:
            named = [each.node for each in self.named(value)]
            ids = [each.node for each in self.with_id(value) if value in (each.id, each.short_id)]
            return self.node_set([self._by_name[node] for node in {*named, *ids}])

        def index() -> TestIndex:
            fits, match = expression.equals, Lines(expression).match
            return TestIndex(
                lambda each: (each.name != "" and fits(each.name)) or (each.id != "" and fits(each.id)),
                self._order,
                lambda: [node for node in self._order if match(node.container_text())],
                match,
            )

        key = ("skep", "like", value, regex_of(expression))
        return NodeSet(self._standing.tests(key, index).mask, self._order)

    def container_index(
        self, key: Hashable, keys_of: Callable[[Container], Iterable[Hashable]]
    ) -> Callable[[Hashable], NodeSet]:
        """An index that the state keeps for a plugin: from each of a container's keys, as `keys_of` tells them, to the nodes that hold one.

        `keys_of` must depend on the container alone. Ask with the function that is returned, before the next await; `key` names the
        index, as in `with_container`.
        """
        index = self._standing.containers(key, keys_of, self._order)
        return lambda each: NodeSet(index.mask(each), self._order)

    def container_counts(
        self, key: Hashable, keys_of: Callable[[Container], Iterable[Hashable]]
    ) -> Callable[[Hashable], Mapping[NodeState, int]]:
        """As `container_index`, and may share its `key`: from each of a container's keys to the nodes that hold some, and how many."""
        return self._standing.containers(key, keys_of, self._order).counts

    def rank_nodes(self, key: Hashable, rank_of: Callable[[NodeState], Any]) -> Ranks:
        """All nodes grouped by rank, smallest first, without those whose rank is None.

        The state keeps the ranks, under `key` as in `with_container`, and ranks a node anew when something on it changed; so
        `rank_of` must depend on the node alone. Read the answer before the next await.
        """
        return Ranks(self._standing.nodes(key, rank_of, self._order), self._order)

    def with_image(self, test: Callable[[Image], bool], *, key: Hashable = None) -> NodeSet:
        """The nodes that hold an image that passes. `test` is called once per image, however many nodes have it.

        With a `key`, as in `with_container`, the answer is kept until a node's images change.
        """
        return NodeSet(self._masks.with_image(test, key), self._order)

    def by_container_count(self) -> Iterator[tuple[int, NodeSet]]:
        """All nodes, grouped by their number of containers (any state, those under way too), fewest first."""
        return ((count, NodeSet(mask, self._order)) for count, mask in self._masks.counts())

    # -- placements under way

    def reserve(self, container: Container, node: str, key: str) -> None:
        """Count `container` as placed on `node` from now on, under `key`, until `release` is called.

        Under the key that `reservation_key` gives it, it ends by itself when the container is there. Its environment is not kept.
        """
        known = replace(container, id="") if container.id else container
        known = replace(known, env=()) if known.env else known
        self.put_container(known.changed(node=node, state=ContainerState.PENDING), key=key)

    def release(self, node: str, key: str) -> None:
        """End a reservation. Harmless when it is gone with its node."""
        self.remove_container(node, key)

    @contextmanager
    def without(self, container: Container) -> Iterator[None]:
        """A block, with no await in it, in which a container is not there: for a decision about the one that is to replace it."""
        known = self.remove_container(container.node, container.id)
        try:
            yield
        finally:
            if known is not None:
                self.put_container(known)


def reservation_key(container: Container) -> str:
    """The key under which a placement under way is kept; "" where its container has no id from Swarm."""
    return f"{_UNDER_WAY}{container.swarm_id}" if container.swarm_id else ""


def _nano_cpus(container: Container, node: Node) -> int:
    # in whole numbers: what is added is exactly what is taken away later; and less than nothing is nothing
    return max(0, round(container.cpus_on(node) * 1e9))


def _weight(container: Container) -> int:
    """How many bytes it takes, about, where that is far more than most do; else 0.

    Whoever writes labels, or a range of ports in a few characters, decides how much is kept wherever a past container is.
    """
    labels = container.labels
    size = len("".join(container.env)) + len("".join(labels)) + len("".join(labels.values())) + len(container.command)
    size += _PORT * (len(container.exposed) + len(container.bindings))
    return size if size > _LIGHT else 0
