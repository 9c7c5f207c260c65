"""An engine's listings, parsed. Each function takes the raw answer and the node's name for its errors.

All raise `EngineProtocolError` naming the node, the listing and the place where the answer is not what the Engine API says.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import msgspec

from skep.errors import EngineProtocolError
from skep.models import _wire
from skep.models.node import Node, NodeStatus
from skep.models.parts import packed_labels
from skep.models.pool import Pool
from skep.models.resources import Deflated, Image, Network, Volume
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
_LONG_NAME = 32  # characters: that of a volume nobody has named
_LEAST_SKEW = 2.0  # seconds; below it the difference is the call's own duration


def parse_containers(data: bytes, node: str) -> list[ContainerRow]:
    """`GET /containers/json?all=1`, as far as it tells whether known containers are still what they were."""
    return _list(data, list[_wire.ContainerSummary], node, "list of containers")


def parse_images(data: bytes, node: str, pool: Pool | None = None) -> list[Image]:
    """`GET /images/json`. Docker's `<none>:<none>` is no tag. `pool`: equal images of different nodes are one object."""
    pool = Pool() if pool is None else pool
    raws = _raws(data, node, "images")
    try:
        return [pool.parsed("image", bytes(raw), functools.partial(_image, raw, node, pool)) for raw in raws]
    except EngineProtocolError:
        _list(data, list[_wire.ImageSummary], node, "list of images")  # whose error has the place in the list
        raise


def _image(raw: msgspec.Raw, node: str, pool: Pool) -> Image:
    row = _decode(raw, _wire.ImageSummary, node, "image")
    return Image(
        row.id,
        tuple(tag for tag in row.repo_tags or () if tag != "<none>:<none>"),
        tuple(digest for digest in row.repo_digests or () if digest != "<none>@<none>"),
        row.created,
        row.size,
        {pool.text(key): pool.text(value) for key, value in row.labels.items()} if row.labels is not None else None,
        row.parent_id,
    )


def parse_networks(data: bytes, node: str, pool: Pool | None = None) -> list[Network]:
    """`GET /networks`. `pool`: what they share with other nodes'."""
    pool = Pool() if pool is None else pool
    raws = _raws(data, node, "networks")
    rows = [(_row(raw, _wire.Network, node, "network"), raw) for raw in raws]
    return [
        Network(
            r.id,
            pool.text(r.name),
            pool.text(r.driver),
            pool.text(r.scope),
            _kept(r.labels, pool),
            Deflated.of(bytes(raw), r.name),
        )
        for r, raw in rows
    ]


class _Volumes(_wire.Wire):
    volumes: list[msgspec.Raw] | None = None


def parse_volumes(data: bytes, node: str, pool: Pool | None = None) -> list[Volume]:
    """`GET /volumes`. `pool`: what they share with other nodes'."""
    pool = Pool() if pool is None else pool
    raws = _decode(data, _Volumes, node, "list of volumes").volumes or []
    rows = [(_row(raw, _wire.Volume, node, "volume"), raw) for raw in raws]
    return [
        Volume(
            r.name,
            pool.text(r.driver),
            pool.text(r.scope or "local"),
            _mountpoint(r, pool),
            _kept(r.labels, pool),
            Deflated.of(bytes(raw), r.name),
        )
        for r, raw in rows
    ]


def _mountpoint(row: _wire.Volume, pool: Pool) -> Any:
    """Without the name of the volume, where it is long: the rest is most volumes' own."""
    if len(row.name) < _LONG_NAME or row.name not in row.mountpoint:
        return pool.text(row.mountpoint)
    return pool.texts(tuple(row.mountpoint.split(row.name)))[0]


def _kept(labels: _wire.Labels, pool: Pool) -> Any:
    return labels if labels is None else packed_labels(labels, pool)


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


def _raws(data: bytes, node: str, what: str) -> list[msgspec.Raw]:
    return _list(data, list[msgspec.Raw], node, f"list of {what}")


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
