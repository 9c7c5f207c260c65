"""Containers of all nodes by name, by id and by the id that Swarm gave them."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from skep.models import Container

__all__ = ["ContainerIndex"]


class ContainerIndex:
    """Found in steps that do not grow with the number of containers; prefixes of ids by bisection."""

    __slots__ = ("_ids", "_names", "_sorted")

    def __init__(self) -> None:
        self._names: dict[str, list[Container]] = {}
        self._ids: dict[str, list[Container]] = {}
        self._sorted: list[str] = []

    def add(self, container: Container) -> None:
        """Take a container in."""
        self._names.setdefault(container.name, []).append(container)
        for id_ in _ids(container):
            known = self._ids.get(id_)
            if known is None:
                self._ids[id_] = [container]
                insort(self._sorted, id_)
            else:
                known.append(container)

    def remove(self, container: Container) -> None:
        """Take out exactly this object, which was taken in."""
        _drop(self._names, container.name, container)
        for id_ in _ids(container):
            if _drop(self._ids, id_, container):
                del self._sorted[bisect_left(self._sorted, id_)]

    def named(self, name: str) -> Sequence[Container]:
        """Those of exactly that name."""
        return self._names.get(name, ())

    def with_id(self, prefix: str) -> Iterator[Container]:
        """Those whose id, or Swarm's id of them, begins so; one may come twice."""
        for place in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            id_ = self._sorted[place]
            if not id_.startswith(prefix):
                return
            yield from self._ids[id_]


def _ids(container: Container) -> Iterator[str]:
    if container.id:
        yield container.id
        if container.swarm_id not in ("", container.id):
            yield container.swarm_id


def _drop(index: dict[str, list[Container]], key: str, container: Container) -> bool:
    """Take a container out; True when it was the last of its key."""
    known = index[key]
    for place, each in enumerate(known):
        if each is container:
            del known[place]
            break
    if not known:
        del index[key]
    return not known
