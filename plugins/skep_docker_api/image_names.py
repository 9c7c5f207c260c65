"""Which image a client means, and which nodes hold it. As engines read names: `repo` is `repo:latest`, Docker Hub is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import re2

from skep import ClusterState, Image, NodeState, NotFoundError, RequestError, split_reference

__all__ = ["Held", "find_images", "normal_name", "reference_test"]

_ID = re.compile(r"(?:sha256:)?([0-9a-f]{3,64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Held:
    """An image on a node that holds it. `name` is what its engine is asked for: the client's name, or the whole id."""

    node: NodeState
    image: Image
    name: str


def normal_name(reference: str) -> str:
    """A reference as engines list it: without Docker Hub's own names, `:latest` where there is no tag."""
    name = _without_hub(reference)
    return name if split_reference(name)[1] else f"{name}:latest"


def _without_hub(name: str) -> str:
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        name = name.removeprefix(prefix)
    return name


def find_images(state: ClusterState, reference: str) -> list[Held]:
    """Each node that holds the image, in the natural order of their names; a tag may stand for another image on each.

    A name wins over an id, an id over the beginning of one. Raises NotFoundError in docker's words, RequestError (400) where several
    images' ids begin so.
    """
    name = normal_name(reference)
    if by_name := list(_held(state, lambda image: name in image.tags or name in image.digests, reference)):
        return by_name
    by_id = list(_by_id(state, reference))
    if not by_id:
        raise NotFoundError(f"No such image: {reference if split_reference(reference)[1] else f'{reference}:latest'}")
    if len({held.image.id for held in by_id}) > 1:
        raise RequestError(f"the image id {reference} is ambiguous: several images' ids begin with it")
    return by_id


def _held(state: ClusterState, test: Callable[[Image], bool], name: str) -> Iterator[Held]:
    for node in state.with_image(test):
        for image in node.images:
            if test(image):
                yield Held(node, image, name or image.id)


def _by_id(state: ClusterState, reference: str) -> Iterator[Held]:
    match = _ID.fullmatch(reference)
    if match is not None:
        start = f"sha256:{match[1]}"
        yield from _held(state, lambda image: image.id.startswith(start), "")


def reference_test(patterns: Iterable[str]) -> Callable[[Iterable[str]], bool]:
    """Whether one of an image's names fits one of the filter `reference`'s patterns: `*` and `?` stay within a part of the path.

    A pattern without a tag fits every tag. Raises RequestError (400) where the patterns are too long.
    """
    # Not by re: an image may be named so that a few stars keep it busy for years.
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        shape = re2.compile("|".join(_shape(_without_hub(each)) for each in patterns), options)
    except re2.error:
        raise RequestError("invalid filter 'reference': its patterns are too long") from None
    return lambda names: any(shape.fullmatch(each) for name in names for each in (name, split_reference(name)[0]))


def _shape(pattern: str) -> str:
    """A shell's pattern as a regular expression: runs of `*` are one."""
    steps = {"*": "[^/]*", "?": "[^/]"}
    return "".join(steps.get(char) or re2.escape(char) for char in re.sub(r"\*+", "*", pattern))
