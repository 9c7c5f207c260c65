"""Containers of all nodes by name, by id and by the id that Swarm gave them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from skep.models import Container

__all__ = ["ContainerIndex", "is_swarm_id"]

_SWARM_ID = re.compile(r"[0-9a-f]{64}")

_Found = (
    Container | list[Container]
)  # most names and all ids are one container's: a list for each would be as large as the rest
_LABEL = 2  # characters: 256 drawers of hexadecimal ids


class ContainerIndex:
    """Found in steps that hardly grow with the number of containers; ids and prefixes of ids by bisection."""

    __slots__ = ("_drawers", "_names")

    def __init__(self) -> None:
        self._names: dict[str, _Found] = {}
        self._drawers: dict[str, _Drawer] = {}
        """Ids by how they begin. In one list, each that comes would move all that are behind it."""

    def add(self, container: Container) -> None:
        """Take a container in."""
        self._names[container.name] = _with(self._names.get(container.name), container)
        for id_ in _ids(container):
            self._drawers.setdefault(id_[:_LABEL], _Drawer()).add(id_, container)

    def remove(self, container: Container) -> None:
        """Take out exactly this object, which was taken in."""
        left = _without(self._names[container.name], container)
        if left is None:
            del self._names[container.name]
        else:
            self._names[container.name] = left
        for id_ in _ids(container):
            drawer = self._drawers[id_[:_LABEL]]
            drawer.remove(id_, container)
            if not drawer.ids:
                del self._drawers[id_[:_LABEL]]

    def named(self, name: str) -> Sequence[Container]:
        """Those of exactly that name."""
        return _all(self._names.get(name, []))

    def with_id(self, prefix: str) -> Iterator[Container]:
        """Those whose id, or Swarm's id of them, begins so, in the order of these ids; one may come twice."""
        if len(prefix) >= _LABEL:
            labels = [prefix[:_LABEL]] if prefix[:_LABEL] in self._drawers else []
        else:
            labels = sorted(label for label in self._drawers if label.startswith(prefix))
        for label in labels:
            yield from self._drawers[label].find(prefix)


class _Drawer:
    """Ids in their order, and in another list at the same places whose they are: together a fifth of a dictionary."""

    __slots__ = ("held", "ids")

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.held: list[_Found] = []

    def add(self, id_: str, container: Container) -> None:
        place = bisect_left(self.ids, id_)
        if place < len(self.ids) and self.ids[place] == id_:
            self.held[place] = _with(self.held[place], container)
        else:
            self.ids.insert(place, id_)
            self.held.insert(place, container)

    def remove(self, id_: str, container: Container) -> None:
        place = bisect_left(self.ids, id_)
        left = _without(self.held[place], container)
        if left is None:
            del self.ids[place], self.held[place]
        else:
            self.held[place] = left

    def find(self, prefix: str) -> Iterator[Container]:
        for place in range(bisect_left(self.ids, prefix), len(self.ids)):
            if not self.ids[place].startswith(prefix):
                return
            yield from _all(self.held[place])


def is_swarm_id(text: str) -> bool:
    """Whether a label `com.docker.swarm.id` can be one: whoever runs a container writes it, and another's name must not become its id."""
    return _SWARM_ID.fullmatch(text) is not None


def _ids(container: Container) -> Iterator[str]:
    if container.id:
        yield container.id
        swarm_id = container.swarm_id
        if swarm_id != container.id and is_swarm_id(swarm_id):
            yield swarm_id


def _all(found: _Found) -> list[Container]:
    return found if isinstance(found, list) else [found]


def _with(known: _Found | None, container: Container) -> _Found:
    return container if known is None else [*_all(known), container]


def _without(known: _Found, container: Container) -> _Found | None:
    """What is left; None when it was the last."""
    left = [each for each in _all(known) if each is not container]
    return left if len(left) > 1 else left[0] if left else None
