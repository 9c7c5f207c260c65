"""Which nodes have what, as bit masks: bit n is the n-th node in the natural order of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from skep.models import Image

if TYPE_CHECKING:
    from skep.cluster.state import NodeState

__all__ = ["Masks"]

_ImageKey = tuple[str, tuple[str, ...], tuple[str, ...]]


class Masks:
    """Kept as nodes change; made anew, when next asked for, after a node came or went and the bits moved."""

    __slots__ = ("_counts", "_healthy", "_images", "_labels", "_order")

    def __init__(self, order: Sequence[NodeState]) -> None:
        self._order = order
        self.forget()

    def forget(self) -> None:
        """The order of the nodes has changed."""
        self._healthy: int | None = None
        self._labels: dict[str, dict[str, int]] | None = None
        self._counts: dict[int, int] | None = None
        self._images: dict[_ImageKey, tuple[Image, int]] | None = None

    @property
    def all(self) -> int:
        """Every node."""
        return (1 << len(self._order)) - 1

    # -- what changes

    def health_changed(self, state: NodeState) -> None:
        """A node is healthy now, or is not any more."""
        if self._healthy is not None:
            bit = 1 << state.ordinal
            self._healthy = self._healthy | bit if state.node.is_healthy else self._healthy & ~bit

    def labels_changed(self) -> None:
        """A node has other labels."""
        self._labels = None

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

    def with_label(self, key: str, test: Callable[[str], bool]) -> int:
        """Those whose label passes; a node without it has the label ""."""
        if self._labels is None:
            self._labels = {}
            for state in self._order:
                for name, value in state.node.labels.items():
                    values = self._labels.setdefault(name, {})
                    values[value] = values.get(value, 0) | 1 << state.ordinal
        mask, without = 0, self.all
        for value, nodes in self._labels.get(key, {}).items():
            without &= ~nodes
            if test(value):
                mask |= nodes
        return mask | without if without and test("") else mask

    def with_image(self, test: Callable[[Image], bool]) -> int:
        """Those with an image that passes; each different image is tested once, however many nodes hold it."""
        if self._images is None:
            self._images = {}
            for state in self._order:
                for image in state.images:
                    self._add_image(self._images, image, 1 << state.ordinal)
        mask = 0
        for image, nodes in self._images.values():
            if nodes & ~mask and test(image):
                mask |= nodes
        return mask

    @staticmethod
    def _add_image(images: dict[_ImageKey, tuple[Image, int]], image: Image, bit: int) -> None:
        first, nodes = images.get(_image_key(image), (image, 0))
        images[_image_key(image)] = first, nodes | bit


def _image_key(image: Image) -> _ImageKey:
    return image.id, image.tags, image.digests
