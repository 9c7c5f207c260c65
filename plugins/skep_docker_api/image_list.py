"""The rows of `docker images`: each image of the cluster once, with all its names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from skep import ClusterState, Image, NodeState, RequestError
from skep_docker_api.image_names import find_images, reference_test
from skep_docker_api.queries import label_test

__all__ = ["FILTERS", "list_images"]

FILTERS = ("before", "dangling", "label", "label!", "node", "reference", "since", "until")

Test = Callable[[NodeState, Image], bool]


@dataclass(slots=True)
class _Row:
    image: Image
    tags: dict[str, None] = field(default_factory=dict)
    digests: dict[str, None] = field(default_factory=dict)


def list_images(
    state: ClusterState, filters: Mapping[str, list[str]], version: tuple[int, int]
) -> list[dict[str, Any]]:
    """All images that fit the filters, newest first, as version `version` of the API shows them.

    Raises RequestError (400) for a value that a filter cannot have.
    """
    tests = _tests(state, filters)
    patterns = filters.get("reference")
    fits = reference_test(patterns) if patterns else lambda names: True
    rows: dict[str, _Row] = {}
    for node in state.nodes:
        for image in node.images:
            if all(test(node, image) for test in tests):
                row = rows.setdefault(image.id, _Row(image))
                row.tags |= dict.fromkeys(tag for tag in image.tags if fits([tag]))
                row.digests |= dict.fromkeys(digest for digest in image.digests if fits([digest]))
    users: dict[str, int] = {}
    for container in state.containers():
        users[container.image_id] = users.get(container.image_id, 0) + 1
    found = sorted(rows.values(), key=lambda row: (-row.image.created, row.image.id))
    return [_wire(row, users.get(row.image.id, 0), version) for row in found]


def _wire(row: _Row, containers: int, version: tuple[int, int]) -> dict[str, Any]:
    image = row.image
    no_tags: list[str] | None = []
    no_digests: list[str] | None = []
    if version < (1, 43):
        named = row.tags or row.digests
        no_tags = None if named else ["<none>:<none>"]
        no_digests = None if named else ["<none>@<none>"]
    wire = {
        "Id": image.id,
        "ParentId": image.parent,
        "RepoTags": list(row.tags) or no_tags,
        "RepoDigests": list(row.digests) or no_digests,
        "Created": image.created,
        "Size": image.size,
        "SharedSize": -1,
        "Labels": image.labels or None,
        "Containers": containers,
    }
    return wire if version >= (1, 44) else {**wire, "VirtualSize": image.size}


def _tests(state: ClusterState, filters: Mapping[str, list[str]]) -> list[Test]:
    makers: dict[str, Callable[[list[str]], Test]] = {
        "before": lambda values: _created(state, "before", values),
        "since": lambda values: _created(state, "since", values),
        "dangling": _dangling,
        "label": lambda values: _labelled(values, wanted=True),
        "label!": lambda values: _labelled(values, wanted=False),
        "node": lambda values: lambda node, image: node.name in values or node.node.id in values,
        "reference": _reference,
        "until": _until,
    }
    return [makers[name](values) for name, values in filters.items()]


def _names(image: Image) -> Iterable[str]:
    return (*image.tags, *image.digests)


def _reference(values: list[str]) -> Test:
    fits = reference_test(values)
    return lambda node, image: fits(_names(image))


def _labelled(values: list[str], *, wanted: bool) -> Test:
    fits = label_test(values)
    return lambda node, image: fits(image.labels or {}) is wanted


def _dangling(values: list[str]) -> Test:
    known = {"true": True, "1": True, "false": False, "0": False}
    wanted = {known.get(value.lower()) for value in values}
    if None in wanted:
        raise RequestError(f"invalid filter 'dangling={values}': expected true or false")
    return lambda node, image: (not image.tags) in wanted


def _created(state: ClusterState, name: str, values: list[str]) -> Test:
    try:
        moments = [held.image.created for value in values for held in find_images(state, value)]
    except RequestError as error:
        raise RequestError(f"invalid filter '{name}': {error}", status=error.status) from None
    if name == "before":
        return lambda node, image: image.created < min(moments)
    return lambda node, image: image.created > max(moments)


def _until(values: list[str]) -> Test:
    try:
        limit = min(float(value) for value in values)
    except ValueError:
        raise RequestError(f"invalid filter 'until={values}': expected seconds since 1970") from None
    return lambda node, image: image.created < limit
