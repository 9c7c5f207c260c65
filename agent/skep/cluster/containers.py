"""Containers of all nodes by name, by id and by the id that Swarm gave them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from skep.models import Container

__all__ = ["ContainerIndex"]


_Found = (
    Container | list[Container]
)  # most names and all ids are one container's: a list for each would be as large as the rest


class ContainerIndex:
    """Found in steps that do not grow with the number of containers; ids and prefixes of ids by bisection."""

    __slots__ = ("_held", "_ids", "_names")

    def __init__(self) -> None:
        self._names: dict[str, _Found] = {}
        self._ids: list[str] = []  # in their order, and at the same places whose they are: a fifth of a dictionary
        self._held: list[_Found] = []

    def add(self, container: Container) -> None:
        """Take a container in."""
        self._names[container.name] = _with(self._names.get(container.name), container)
        for id_ in _ids(container):
            place = bisect_left(self._ids, id_)
            if self._is_at(place, id_):
                self._held[place] = _with(self._held[place], container)
            else:
                self._ids.insert(place, id_)
                self._held.insert(place, container)

    def remove(self, container: Container) -> None:
        """Take out exactly this object, which was taken in."""
        left = _without(self._names[container.name], container)
        if left is None:
            del self._names[container.name]
        else:
            self._names[container.name] = left
        for id_ in _ids(container):
            place = bisect_left(self._ids, id_)
            left = _without(self._held[place], container)
            if left is None:
                del self._ids[place], self._held[place]
            else:
                self._held[place] = left

    def _is_at(self, place: int, id_: str) -> bool:
        return place < len(self._ids) and self._ids[place] == id_

    def named(self, name: str) -> Sequence[Container]:
        """Those of exactly that name."""
        return _all(self._names.get(name, []))

    def with_id(self, prefix: str) -> Iterator[Container]:
        """Those whose id, or Swarm's id of them, begins so; one may come twice."""
        for place in range(bisect_left(self._ids, prefix), len(self._ids)):
            if not self._ids[place].startswith(prefix):
                return
            yield from _all(self._held[place])


def _ids(container: Container) -> Iterator[str]:
    if container.id:
        yield container.id
        swarm_id = container.swarm_id
        if swarm_id not in ("", container.id):
            yield swarm_id


def _all(found: _Found) -> list[Container]:
    return found if isinstance(found, list) else [found]


def _with(known: _Found | None, container: Container) -> _Found:
    return container if known is None else [*_all(known), container]


def _without(known: _Found, container: Container) -> _Found | None:
    """What is left; None when it was the last."""
    left = [each for each in _all(known) if each is not container]
    return left if len(left) > 1 else left[0] if left else None
