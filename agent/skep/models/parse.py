"""An engine's listings, parsed. Each function takes the raw answer and the node's name for its errors.

All raise `EngineProtocolError` naming the node, the listing and the place where the answer is not what the Engine API says.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from skep.errors import EngineProtocolError
from skep.models import _wire
from skep.models.node import Node, NodeStatus
from skep.models.resources import Image, Network, Volume
from skep.models.times import parse_time

__all__ = [
    "ContainerRow",
    "parse_containers",
    "parse_images",
    "parse_networks",
    "parse_node",
    "parse_volumes",
]

T = TypeVar("T")
ContainerRow = _wire.ContainerSummary

_LONGEST_NAME = 255
_LEAST_SKEW = 2.0  # seconds; below it the difference is the call's own duration


def parse_containers(data: bytes, node: str) -> list[ContainerRow]:
    """`GET /containers/json?all=1`, as far as it tells whether known containers are still what they were."""
    return _list(data, list[_wire.ContainerSummary], node, "list of containers")


def parse_images(data: bytes, node: str) -> list[Image]:
    """`GET /images/json`. Docker's `<none>:<none>` is no tag."""
    rows = _list(data, list[_wire.ImageSummary], node, "list of images")
    return [
        Image(
            row.id,
            tuple(tag for tag in row.repo_tags or () if tag != "<none>:<none>"),
            tuple(digest for digest in row.repo_digests or () if digest != "<none>@<none>"),
            row.created,
            row.size,
            row.labels,
            row.parent_id,
        )
        for row in rows
    ]


def parse_networks(data: bytes, node: str) -> list[Network]:
    """`GET /networks`."""
    raws = _list(data, list[msgspec.Raw], node, "list of networks")
    rows = [(_row(raw, _wire.Network, node, "network"), raw) for raw in raws]
    return [Network(r.id, r.name, r.driver, r.scope, r.labels, bytes(raw)) for r, raw in rows]


class _Volumes(_wire.Wire):
    volumes: list[msgspec.Raw] | None = None


def parse_volumes(data: bytes, node: str) -> list[Volume]:
    """`GET /volumes`."""
    raws = _decode(data, _Volumes, node, "list of volumes").volumes or []
    rows = [(_row(raw, _wire.Volume, node, "volume"), raw) for raw in raws]
    return [Volume(r.name, r.driver, r.scope or "local", r.mountpoint, r.labels, bytes(raw)) for r, raw in rows]


def parse_node(data: bytes, address: str, *, ip: str = "", api_version: str = "") -> Node:
    """`GET /info` as a healthy node.

    Raises `EngineProtocolError` also for what answers like an engine and is none (a manager has no CPUs of its own), for a name or an
    ID that could be mistaken for something else (`node/name`, an address), and for a label without `=`, which would be invisible to
    constraints.
    """
    info = _decode(data, _wire.Info, address, "/info")
    if not info.ncpu or not info.mem_total:
        raise EngineProtocolError(
            f"{address} reports no CPUs or no memory: expected a Docker Engine, not a cluster's manager"
        )
    if not info.name or not info.id:
        raise EngineProtocolError(f"{address} reports no name or no ID in /info: expected a Docker Engine")
    _check_name(info.name, "name", address)
    _check_name(info.id, "ID", address)
    labels, ignored = _labels(info, address)
    return Node(
        name=info.name,
        address=address,
        id=info.id,
        ip=ip,
        status=NodeStatus.HEALTHY,
        labels=labels,
        ignored_labels=ignored,
        cpus=info.ncpu,
        memory=info.mem_total,
        server_version=info.server_version,
        api_version=api_version,
        operating_system=info.operating_system,
        os_type=info.os_type,
        architecture=info.architecture,
        kernel_version=info.kernel_version,
        clock_skew=_skew(info.system_time),
        updated=time.time(),
    )


def _check_name(text: str, what: str, address: str) -> None:
    if len(text) > _LONGEST_NAME or "/" in text or " " in text or not text.isprintable():
        raise EngineProtocolError(
            f"{address} reports the {what} {text[:60]!a} in /info: expected at most {_LONGEST_NAME} characters, "
            "none of them a blank, a slash or a control character"
        )


def _labels(info: _wire.Info, address: str) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """The labels, and those that are passed over: `node`, which means the node itself, and what repeats a key that is there."""
    derived = {
        "storagedriver": info.driver,
        "kernelversion": info.kernel_version,
        "operatingsystem": info.operating_system,
        "ostype": info.os_type,
    }
    labels = {key: value for key, value in derived.items() if value}
    ignored: list[str] = []
    for entry in info.labels or ():
        key, equals, value = entry.partition("=")
        if not equals:
            raise EngineProtocolError(f"{address} has the engine label {entry!r}: expected key=value")
        if key == "node" or key in labels:
            ignored.append(entry)
        else:
            labels[key] = value
    return labels, tuple(ignored)


def _skew(system_time: str) -> float:
    try:
        moment = parse_time(system_time)
    except ValueError:
        return 0.0
    skew = moment - time.time() if moment else 0.0
    return skew if abs(skew) >= _LEAST_SKEW else 0.0


def _row(raw: msgspec.Raw, kind: type[T], node: str, what: str) -> T:
    """A row whose JSON is kept for listings: all of it must be readable, not only what is read here."""
    _decode(raw, dict[str, Any], node, what)
    return _decode(raw, kind, node, what)


def _list(data: bytes, kind: type[list[T]], node: str, what: str) -> list[T]:
    # engines answer `null` where there is nothing
    return _decode(data, cast(Any, kind | None), node, what) or []


def _decode(data: bytes | msgspec.Raw, kind: type[T], node: str, what: str) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise EngineProtocolError(f"node {node}: unreadable {what}: {error}") from None
