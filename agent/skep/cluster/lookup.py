"""What a reference names: a container, image, network or volume, anywhere in the cluster.

A reference is what people type: an id or the beginning of one, a name, or a name behind its node's name or id (`node1/web`). The first rule
that finds something decides. Where several fit equally, nothing is guessed: ConflictError names them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

from skep.errors import ConflictError, NotFoundError
from skep.models import Container, Image, Network, Volume, split_reference

if TYPE_CHECKING:
    from skep.cluster.state import ClusterState, NodeState

__all__ = [
    "find_container",
    "find_image",
    "find_images",
    "find_network",
    "find_volume",
    "find_volumes",
    "has_reference",
]

T = TypeVar("T")
Item = TypeVar("Item", Network, Volume)

_SHORT = 12  # characters of an id that docker shows
_LEAST_IMAGE_ID = 3  # characters of an image's id that name it
_SHOWN = 5  # candidates in an error


def find_container(state: ClusterState, reference: str) -> Container:
    """The container that `reference` names.

    In this order: its id, or Swarm's id of it (label `com.docker.swarm.id`), whole or the first 12 characters; its name, also as `/name`,
    `NODE/name` or `ENGINE-ID/name`; any beginning of an id that is nobody else's. Containers that are being created are not found.
    Raises NotFoundError (docker's own text), ConflictError.
    """
    known = [c for c in state.with_id(reference) if c.id] if reference else []
    exact = [c for c in known if len(reference) == _SHORT or reference in (c.id, c.swarm_id)]
    own = [c for c in exact if c.id.startswith(reference)]  # before a label, which may repeat another's id
    for found in (own, exact, _named_containers(state, reference), known):
        unique = list({id(c): c for c in found}.values())
        if len(unique) > 1:
            raise _ambiguous("container", reference, (f"{c.node}/{c.name} ({c.short_id})" for c in unique))
        if unique:
            return unique[0]
    raise NotFoundError(f"No such container: {reference}")


def _named_containers(state: ClusterState, reference: str) -> Iterator[Container]:
    for name, fits in _spellings(reference):
        for container in state.named(name):
            node = state.get_node(container.node)
            if container.id and node is not None and fits(node):
                yield container


def _spellings(reference: str) -> Iterator[tuple[str, Callable[[NodeState], bool]]]:
    """The names that a reference may mean, each with the nodes for which it does."""
    node, slash, name = reference.partition("/")
    if not slash:
        yield reference, lambda _: True
    elif not node:
        yield name, lambda _: True
    else:
        yield name, lambda state: node in (state.name, state.node.id)
    if slash and node:
        yield reference, lambda _: True  # a volume's name, for one, may hold a slash


# -- images


def find_images(state: ClusterState, reference: str) -> list[tuple[NodeState, Image]]:
    """All nodes with the image, healthy ones first. Raises NotFoundError."""
    ordered = sorted(
        state.with_image(lambda image: has_reference(image, reference)), key=lambda s: not s.node.is_healthy
    )
    found = [(node, image) for node in ordered for image in node.images if has_reference(image, reference)]
    if not found:
        raise NotFoundError(f"No such image: {reference}")
    return found


def find_image(state: ClusterState, reference: str) -> tuple[NodeState, Image]:
    """The first of `find_images`. A whole id, tag or digest wins over the beginning of an id, and `:latest` over other tags."""
    return min(find_images(state, reference), key=lambda found: _image_rank(found[1], reference))


def has_reference(image: Image, reference: str) -> bool:
    """Whether `reference` names this image: its id or at least 3 characters of it, with or without `sha256:`; `repo:tag`,
    `repo@digest`; `repo` alone, whatever the tag."""
    bare = reference.removeprefix("sha256:")
    if len(bare) >= _LEAST_IMAGE_ID and image.id.removeprefix("sha256:").startswith(bare):
        return True
    names = (*image.tags, *image.digests)
    if reference in names:
        return True
    repository, tag = split_reference(reference)
    return not tag and any(split_reference(name)[0] == repository for name in names)


def _image_rank(image: Image, reference: str) -> int:
    if reference in (image.id, image.id.removeprefix("sha256:"), *image.tags, *image.digests):
        return 0
    return 1 if f"{reference}:latest" in image.tags else 2


# -- networks and volumes


def find_network(state: ClusterState, reference: str) -> tuple[NodeState, Network]:
    """The network of that id (whole or the first 12 characters), name, `NODE/name`, `ENGINE-ID/name` or beginning of an id.

    A network that spans hosts is one, on however many nodes it is known. Raises NotFoundError, ConflictError.
    """
    known = [(n, w) for n in state.nodes for w in n.networks if reference and w.id.startswith(reference)]
    exact = [(n, w) for n, w in known if len(reference) == _SHORT or w.id == reference]
    named = _named_items(state, reference, lambda node: node.networks)
    for found in (exact, named, known):
        unique = list({network.id: (node, network) for node, network in reversed(list(found))}.values())
        if len(unique) > 1:
            raise _ambiguous("network", reference, (f"{n.name}/{w.name} ({w.id[:_SHORT]})" for n, w in unique))
        if unique:
            return unique[0]
    raise NotFoundError(f"network {reference} not found")


def find_volumes(state: ClusterState, reference: str) -> list[tuple[NodeState, Volume]]:
    """All nodes with a volume of that name, `NODE/name` or `ENGINE-ID/name`. Raises NotFoundError."""
    found = _named_items(state, reference, lambda node: node.volumes)
    if not found:
        raise NotFoundError(f"get {reference}: no such volume")
    return found


def find_volume(state: ClusterState, reference: str) -> tuple[NodeState, Volume]:
    """The one volume of that name; of several, the first whose driver is not `local`, for that is one volume on many nodes.

    Raises NotFoundError, ConflictError.
    """
    found = find_volumes(state, reference)
    shared = [pair for pair in found if pair[1].driver != "local"]
    if len(found) > 1 and not shared:
        raise _ambiguous("volume", reference, (f"{node.name}/{volume.name}" for node, volume in found))
    return (shared or found)[0]


def _named_items(
    state: ClusterState, reference: str, items: Callable[[NodeState], Iterable[Item]]
) -> list[tuple[NodeState, Item]]:
    for name, fits in _spellings(reference):
        found = [(node, item) for node in state.nodes if fits(node) for item in items(node) if item.name == name]
        if found:
            return found
    return []


def _ambiguous(what: str, reference: str, candidates: Iterable[str]) -> ConflictError:
    shown = sorted(candidates)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ConflictError(
        f"{reference!r} names more than one {what}: {', '.join(shown[:_SHOWN])}{more}; give the node's name with it, or the whole id"
    )
