"""Which nodes have what, as bit masks: bit n is the n-th node in the natural order of names."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from skep.cluster.nodeset import mask_of
from skep.models import Image, Node

if TYPE_CHECKING:
    from skep.cluster.state import NodeState

__all__ = ["Masks"]

_MOST_FOUND = 1024
_ImageKey = tuple[str, tuple[str, ...], tuple[str, ...]]


class Masks:
    """Kept as nodes change; what nobody has asked for yet is made when it is asked for."""

    __slots__ = ("_counts", "_found", "_healthy", "_images", "_labels", "_order")

    def __init__(self, order: Sequence[NodeState]) -> None:
        self._order = order
        self._healthy: int | None = None
        self._labels: dict[str, dict[str, int]] | None = None
        self._counts: dict[int, int] | None = None
        self._images: dict[_ImageKey, tuple[Image, int]] | None = None
        self._found: dict[Hashable, int] = {}  # answers that hold until a label, an image or a number changes

    @property
    def all(self) -> int:
        """Every node."""
        return (1 << len(self._order)) - 1

    # -- what changes

    def node_joined(self, state: NodeState) -> None:
        """A node, with nothing on it, has its number; those from there on have moved up."""
        place = state.ordinal
        self._shift(lambda mask: _with_gap(mask, place))
        bit = 1 << place
        if self._healthy is not None and state.node.is_healthy:
            self._healthy |= bit
        if self._counts is not None:
            self._counts[0] = self._counts.get(0, 0) | bit
        self.labels_changed(state, {})

    def node_left(self, place: int) -> None:
        """The node of that number is gone; those behind it have moved down."""
        self._shift(lambda mask: _without(mask, place))

    def _shift(self, moved: Callable[[int], int]) -> None:
        self._found.clear()
        if self._healthy is not None:
            self._healthy = moved(self._healthy)
        if self._counts is not None:
            self._counts = {count: left for count, mask in self._counts.items() if (left := moved(mask))}
        if self._images is not None:
            images = self._images.items()
            self._images = {key: (image, left) for key, (image, mask) in images if (left := moved(mask))}
        if self._labels is not None:
            self._labels = {
                key: {value: left for value, mask in values.items() if (left := moved(mask))}
                for key, values in self._labels.items()
            }

    def health_changed(self, state: NodeState) -> None:
        """A node is healthy now, or is not any more."""
        if self._healthy is not None:
            bit = 1 << state.ordinal
            self._healthy = self._healthy | bit if state.node.is_healthy else self._healthy & ~bit

    def identity_changed(self) -> None:
        """A node has another id."""
        self._found.clear()

    def labels_changed(self, state: NodeState, before: Mapping[str, str]) -> None:
        """A node's labels were `before`."""
        self._found.clear()
        if self._labels is None:
            return
        bit = 1 << state.ordinal
        for key, value in before.items():
            left = self._labels[key][value] & ~bit
            if left:
                self._labels[key][value] = left
            else:
                del self._labels[key][value]
        for key, value in state.node.labels.items():
            values = self._labels.setdefault(key, {})
            values[value] = values.get(value, 0) | bit

    def count_changed(self, state: NodeState, before: int) -> None:
        """A node's number of containers was `before`."""
        if self._counts is None:
            return
        bit, count = 1 << state.ordinal, len(state.containers)
        left = self._counts[before] & ~bit
        if left:
            self._counts[before] = left
        else:
            del self._counts[before]
        self._counts[count] = self._counts.get(count, 0) | bit

    def images_changed(self, state: NodeState, before: Sequence[Image]) -> None:
        """A node's images were `before`."""
        self._found.clear()
        if self._images is None:
            return
        bit = 1 << state.ordinal
        for image in before:
            key = _image_key(image)
            if key in self._images:
                left = self._images[key][1] & ~bit
                if left:
                    self._images[key] = image, left
                else:
                    del self._images[key]
        for image in state.images:
            self._add_image(self._images, image, bit)

    # -- what is asked

    def healthy(self) -> int:
        """Those whose state is known now."""
        if self._healthy is None:
            self._healthy = sum(1 << state.ordinal for state in self._order if state.node.is_healthy)
        return self._healthy

    def counts(self) -> Iterator[tuple[int, int]]:
        """By their number of containers, fewest first."""
        if self._counts is None:
            self._counts = {}
            for state in self._order:
                count = len(state.containers)
                self._counts[count] = self._counts.get(count, 0) | 1 << state.ordinal
        counts = self._counts
        return ((count, counts[count]) for count in sorted(counts))

    def with_label(self, label: str, test: Callable[[str], bool], key: Hashable) -> int:
        """Those whose label passes; a node without it has the label ""."""
        return self._kept(("label", label, key), lambda: self._with_label(label, test), keep=key is not None)

    def with_node(self, test: Callable[[Node], bool], key: Hashable) -> int:
        """Those that pass, by what does not change of a node unnoticed here: name, id, labels."""
        return self._kept(
            ("node", key), lambda: mask_of([state for state in self._order if test(state.node)]), keep=key is not None
        )

    def _with_label(self, label: str, test: Callable[[str], bool]) -> int:
        if self._labels is None:
            self._labels = {}
            nodes: dict[tuple[str, str], list[NodeState]] = {}
            for state in self._order:
                for pair in state.node.labels.items():
                    nodes.setdefault(pair, []).append(state)
            for (name, value), found in nodes.items():
                self._labels.setdefault(name, {})[value] = mask_of(found)
        mask, without = 0, self.all
        for value, having in self._labels.get(label, {}).items():
            without &= ~having
            if test(value):
                mask |= having
        return mask | without if without and test("") else mask

    def with_image(self, test: Callable[[Image], bool], key: Hashable) -> int:
        """Those with an image that passes; each different image is tested once, however many nodes hold it."""
        return self._kept(("image", key), lambda: self._with_image(test), keep=key is not None)

    def _with_image(self, test: Callable[[Image], bool]) -> int:
        if self._images is None:
            self._images = {}
            first: dict[_ImageKey, Image] = {}
            holders: dict[_ImageKey, list[NodeState]] = {}
            for state in self._order:
                for image in state.images:
                    key = _image_key(image)
                    first.setdefault(key, image)
                    holders.setdefault(key, []).append(state)
            self._images = {key: (image, mask_of(holders[key])) for key, image in first.items()}
        mask = 0
        for image, nodes in self._images.values():
            if nodes & ~mask and test(image):
                mask |= nodes
        return mask

    def _kept(self, key: Hashable, make: Callable[[], int], *, keep: bool) -> int:
        if not keep:
            return make()
        found = self._found.get(key)
        if found is None:
            found = make()
            if len(self._found) >= _MOST_FOUND:
                self._found.clear()
            self._found[key] = found
        return found

    @staticmethod
    def _add_image(images: dict[_ImageKey, tuple[Image, int]], image: Image, bit: int) -> None:
        first, nodes = images.get(_image_key(image), (image, 0))
        images[_image_key(image)] = first, nodes | bit


def _with_gap(mask: int, place: int) -> int:
    low = mask & ((1 << place) - 1)
    return low | (mask ^ low) << 1


def _without(mask: int, place: int) -> int:
    low = mask & ((1 << place) - 1)
    return low | mask >> place + 1 << place


def _image_key(image: Image) -> _ImageKey:
    return image.id, image.tags, image.digests
