"""Containers of all nodes by name, by id and by the id that Swarm gave them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from skep.models import Container

__all__ = ["ContainerIndex"]


_Found = (
    Container | list[Container]
)  # most names and all ids are one container's: a list for each would be as large as the rest


class ContainerIndex:
    """Found in steps that do not grow with the number of containers; prefixes of ids by bisection."""

    __slots__ = ("_ids", "_names", "_sorted")

    def __init__(self) -> None:
        self._names: dict[str, _Found] = {}
        self._ids: dict[str, _Found] = {}
        self._sorted: list[str] = []

    def add(self, container: Container) -> None:
        """Take a container in."""
        _put(self._names, container.name, container)
        for id_ in _ids(container):
            if _put(self._ids, id_, container):
                insort(self._sorted, id_)

    def remove(self, container: Container) -> None:
        """Take out exactly this object, which was taken in."""
        _drop(self._names, container.name, container)
        for id_ in _ids(container):
            if _drop(self._ids, id_, container):
                del self._sorted[bisect_left(self._sorted, id_)]

    def named(self, name: str) -> Sequence[Container]:
        """Those of exactly that name."""
        return _all(self._names.get(name, []))

    def with_id(self, prefix: str) -> Iterator[Container]:
        """Those whose id, or Swarm's id of them, begins so; one may come twice."""
        for place in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            id_ = self._sorted[place]
            if not id_.startswith(prefix):
                return
            yield from _all(self._ids[id_])


def _ids(container: Container) -> Iterator[str]:
    if container.id:
        yield container.id
        swarm_id = container.swarm_id
        if swarm_id not in ("", container.id):
            yield swarm_id


def _all(found: _Found) -> list[Container]:
    return found if isinstance(found, list) else [found]


def _put(index: dict[str, _Found], key: str, container: Container) -> bool:
    """Take a container in; True when it is the first of its key."""
    known = index.get(key)
    index[key] = container if known is None else [*_all(known), container]
    return known is None


def _drop(index: dict[str, _Found], key: str, container: Container) -> bool:
    """Take a container out; True when it was the last of its key."""
    left = [each for each in _all(index[key]) if each is not container]
    if left:
        index[key] = left if len(left) > 1 else left[0]
    else:
        del index[key]
    return not left
