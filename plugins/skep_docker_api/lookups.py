"""Which container a client means: as the cluster's state finds it, and by the names of legacy links, which only the Docker API knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from skep import ClusterState, ConflictError, Container, NotFoundError

__all__ = ["find_container", "find_seen", "links_of", "without_others"]

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:[.][A-Za-z0-9_-]+)*", re.ASCII)  # as containers may be called
_SHORT = 12  # characters of an id that are shown


def find_container(state: ClusterState, reference: str) -> Container:
    """The container by id, name, `node/name` or beginning of an id; else by link, `user/alias` or `node/user/alias`.

    Raises NotFoundError in docker's words, ConflictError naming the candidates.
    """
    try:
        return state.find_container(reference)
    except NotFoundError:
        if found := _by_link(state, reference.removeprefix("/")):
            return found
        raise


def find_seen(state: ClusterState, reference: str, visible: Callable[[Mapping[str, str]], bool] | None) -> Container:
    """As `find_container`, for a client that sees only what has certain labels (None: all): anything else is not there to it."""
    if visible is None:
        return find_container(state, reference)
    try:
        if visible((found := find_container(state, reference)).labels):
            return found
    except ConflictError:  # it lists whose they are
        pass
    raise NotFoundError(f"No such container: {reference}")


def without_others(
    text: str, state: ClusterState, visible: Callable[[Mapping[str, str]], bool], asked: Container
) -> str:
    """What a client is told, with `***` for names and ids of containers that it does not see, but for the name that it asked for."""

    def blotted(match: re.Match[str]) -> str:
        word = match[0]
        found = [*state.named(word), *(state.with_id(word) if len(word) >= _SHORT else ())]
        hidden = word != asked.name and found and not any(visible(each.labels) for each in found)
        return "***" if hidden else word

    return _WORD.sub(blotted, text)


def _by_link(state: ClusterState, text: str) -> Container | None:
    path, _, alias = text.rpartition("/")
    node, _, user = path.rpartition("/")
    for each in state.named(user):
        if each.id and (not node or each.node == node):
            for target, known_as in links_of(each):
                if known_as == alias:
                    return next((c for c in state.named(target) if c.id and c.node == each.node), None)
    return None


def links_of(container: Container) -> Iterator[tuple[str, str]]:
    """The containers to which a container links, each as its name and the alias."""
    for link in container.links:
        target, _, alias = link.partition(":")
        yield target.removeprefix("/"), (alias or target).rpartition("/")[2]
