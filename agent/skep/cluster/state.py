"""The known state of all nodes, with the indexes that placement and listings need. No I/O, no clock."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from skep.cluster.nodeset import NodeSet
from skep.models import Container, ContainerState, Image, Network, Node, Volume, natural_key

__all__ = ["ClusterState", "NodeState"]


class NodeState:
    """One node and everything known on it. Read it; changes go through `ClusterState`.

    `containers` is by key: a container's id, or the key of a placement under way, whose container is `pending`.
    `memory_used` (bytes) and `cpus_used` are what its containers of any state reserve.
    """

    __slots__ = ("containers", "cpus_used", "images", "memory_used", "networks", "node", "ordinal", "volumes")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.ordinal = 0
        self.containers: dict[str, Container] = {}
        self.images: Sequence[Image] = ()
        self.networks: Sequence[Network] = ()
        self.volumes: Sequence[Volume] = ()
        self.memory_used = 0
        self.cpus_used = 0.0

    @property
    def name(self) -> str:
        """The node's name."""
        return self.node.name

    def __repr__(self) -> str:
        return f"<NodeState {self.name} {self.node.status}, {len(self.containers)} containers>"


class ClusterState:
    """All nodes. Every change is synchronous, so a decision that does not await sees one consistent state.

    `version` grows with every change.
    """

    def __init__(self) -> None:
        self.version = 0
        self._by_name: dict[str, NodeState] = {}
        self._order: list[NodeState] = []
        self._names: dict[str, list[Container]] = {}
        self._labels: dict[str, dict[str, int]] | None = None
        self._healthy: int | None = None

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
        self._labels = self._healthy = None
        known = self._by_name.get(node.name)
        if known is not None:
            known.node = node
            return known
        state = self._by_name[node.name] = NodeState(node)
        insort(self._order, state, key=lambda each: natural_key(each.name))
        self._number()
        return state

    def remove_node(self, name: str) -> None:
        """Forget a node with everything on it. Raises KeyError."""
        state = self._by_name.pop(name)
        self.version += 1
        self._labels = self._healthy = None
        for key in list(state.containers):
            self._take_out(state, key)
        self._order.remove(state)
        self._number()

    def _number(self) -> None:
        for ordinal, state in enumerate(self._order):
            state.ordinal = ordinal

    # -- what is on a node

    def put_container(self, container: Container, *, key: str = "") -> None:
        """Add or replace a container on its node (`container.node`). `key`: for one that has no id yet. Raises KeyError."""
        state = self._by_name[container.node]
        self.version += 1
        key = key or container.id
        self._take_out(state, key)
        state.containers[key] = container
        self._names.setdefault(container.name, []).append(container)
        state.memory_used += container.memory
        state.cpus_used += container.cpus_on(state.node)

    def remove_container(self, node: str, key: str) -> Container | None:
        """Forget a container, and return it; None if it was not known."""
        state = self._by_name.get(node)
        if state is None:
            return None
        self.version += 1
        return self._take_out(state, key)

    def _take_out(self, state: NodeState, key: str) -> Container | None:
        container = state.containers.pop(key, None)
        if container is None:
            return None
        named = self._names[container.name]
        named.remove(container)
        if not named:
            del self._names[container.name]
        state.memory_used -= container.memory
        state.cpus_used -= container.cpus_on(state.node)
        return container

    def put_images(self, node: str, images: Sequence[Image]) -> None:
        """Replace a node's images."""
        self._by_name[node].images = images
        self.version += 1

    def put_networks(self, node: str, networks: Sequence[Network]) -> None:
        """Replace a node's networks."""
        self._by_name[node].networks = networks
        self.version += 1

    def put_volumes(self, node: str, volumes: Sequence[Volume]) -> None:
        """Replace a node's volumes."""
        self._by_name[node].volumes = volumes
        self.version += 1

    # -- what listings need

    def containers(self) -> Iterator[Container]:
        """All containers of all nodes, those under way too."""
        for state in self._order:
            yield from state.containers.values()

    def named(self, name: str) -> Sequence[Container]:
        """The containers of exactly that name, on any node, those under way too."""
        return self._names.get(name, ())

    # -- what placement needs: sets of nodes

    def node_set(self, nodes: Iterable[NodeState]) -> NodeSet:
        """These nodes as a set."""
        mask = 0
        for node in nodes:
            mask |= 1 << node.ordinal
        return NodeSet(mask, self._order)

    def all_nodes(self) -> NodeSet:
        """Every node."""
        return NodeSet((1 << len(self._order)) - 1, self._order)

    def healthy_nodes(self) -> NodeSet:
        """Those whose state is known now."""
        if self._healthy is None:
            self._healthy = self.node_set(s for s in self._order if s.node.is_healthy).mask
        return NodeSet(self._healthy, self._order)

    def with_label(self, key: str, test: Callable[[str], bool]) -> NodeSet:
        """The nodes whose label `key` passes; a node without it counts as "". `test` is called once per distinct value."""
        values = self._label_index().get(key, {})
        mask, without = 0, (1 << len(self._order)) - 1
        for value, nodes in values.items():
            without &= ~nodes
            if test(value):
                mask |= nodes
        if without and test(""):
            mask |= without
        return NodeSet(mask, self._order)

    def _label_index(self) -> dict[str, dict[str, int]]:
        if self._labels is None:
            self._labels = {}
            for state in self._order:
                for key, value in state.node.labels.items():
                    values = self._labels.setdefault(key, {})
                    values[value] = values.get(value, 0) | 1 << state.ordinal
        return self._labels

    def with_container(self, test: Callable[[Container], bool]) -> NodeSet:
        """The nodes that hold a container that passes, those under way included."""
        return self.node_set(s for s in self._order if any(test(c) for c in s.containers.values()))

    def with_image(self, test: Callable[[Image], bool]) -> NodeSet:
        """The nodes that hold an image that passes."""
        return self.node_set(s for s in self._order if any(test(image) for image in s.images))

    def by_container_count(self) -> Iterator[tuple[int, NodeSet]]:
        """All nodes, grouped by their number of containers (any state, those under way too), fewest first."""
        groups: dict[int, int] = {}
        for state in self._order:
            count = len(state.containers)
            groups[count] = groups.get(count, 0) | 1 << state.ordinal
        for count in sorted(groups):
            yield count, NodeSet(groups[count], self._order)

    # -- placements under way

    def reserve(self, container: Container, node: str, key: str) -> None:
        """Count `container` as placed on `node` from now on, under `key`, until it is there or `release` is called."""
        self.put_container(replace(container, node=node, id="", state=ContainerState.PENDING), key=key)

    def release(self, node: str, key: str) -> None:
        """End a reservation. Harmless when it is gone with its node."""
        self.remove_container(node, key)
