"""Which container a client means: by id, name, node and name, link, or the beginning of an id."""

from __future__ import annotations

import re
from collections.abc import Iterator

from skep import ClusterState, ConflictError, Container, NotFoundError, RequestError

__all__ = ["find_container", "links_of"]

_HEX = re.compile(r"[0-9a-f]{1,64}", re.ASCII)
_MOST_SHOWN = 10


def find_container(state: ClusterState, reference: str) -> Container:
    """The container that a client's text means: the first of id, name, `node/name`, `user/alias` of a link, beginning of an id.

    Raises NotFoundError, in docker's words; ConflictError (409) where several nodes have a container of that name, and RequestError
    (400) where several ids begin so, both naming the candidates.
    """
    text = reference.removeprefix("/")
    if found := _by_id(state, text) or _by_name(state, text, reference) or _by_link(state, text):
        return found
    if found := _by_prefix(state, text):
        return found
    raise NotFoundError(f"No such container: {reference}")


def _by_id(state: ClusterState, text: str) -> Container | None:
    if len(text) == 64:
        for node in state.nodes:
            if found := node.containers.get(text):
                return found
    return None


def _by_name(state: ClusterState, text: str, reference: str) -> Container | None:
    node, slash, name = text.rpartition("/")
    found = [each for each in state.named(name) if each.id and (not slash or _is_node(state, each.node, node))]
    if len(found) > 1:
        raise ConflictError(
            f"container name {reference} is ambiguous: {_candidates(found)}; say which one's node you mean"
        )
    return found[0] if found else None


def _is_node(state: ClusterState, node: str, wanted: str) -> bool:
    if node == wanted:
        return True
    known = state.get_node(node)
    return known is not None and bool(wanted) and known.node.id == wanted


def _by_link(state: ClusterState, text: str) -> Container | None:
    """`user/alias` or `node/user/alias`: what the container `user` knows as `alias`."""
    user, slash, alias = text.rpartition("/")
    if not slash:
        return None
    node, _, name = user.rpartition("/")
    for each in state.named(name):
        if each.id and (not node or each.node == node):
            for target, known_as in links_of(each):
                if known_as == alias and (found := _on_node(state, each.node, target)):
                    return found
    return None


def links_of(container: Container) -> Iterator[tuple[str, str]]:
    """The containers to which a container links, each as (its name, the alias)."""
    for link in container.links:
        target, _, alias = link.partition(":")
        yield target.removeprefix("/"), (alias or target).rpartition("/")[2]


def _on_node(state: ClusterState, node: str, name: str) -> Container | None:
    return next((each for each in state.named(name) if each.id and each.node == node), None)


def _by_prefix(state: ClusterState, text: str) -> Container | None:
    if not _HEX.fullmatch(text):
        return None
    found = [each for each in state.containers() if each.id.startswith(text)]
    if len(found) > 1:
        raise RequestError(f"multiple IDs found with provided prefix: {text}: {_candidates(found)}")
    return found[0] if found else None


def _candidates(found: list[Container]) -> str:
    shown = [f"{each.node}/{each.name} ({each.short_id})" for each in found[:_MOST_SHOWN]]
    more = len(found) - _MOST_SHOWN
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
