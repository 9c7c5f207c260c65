"""Attributes that are kept smaller than they are shown: packed when a value is parsed, unpacked each time that they are read."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, Generic, Self, TypeVar, overload

from skep.models.pool import Pool

__all__ = [
    "OWN_LABELS",
    "Part",
    "deflated",
    "inflated",
    "packed_labels",
    "unpacked_labels",
]

T = TypeVar("T")

# What packed values are likely to hold: the shorter they are, the more it saves. Only ever read by the process that wrote it.
_COMMON = (
    b'{"CreatedAt":"2026-01-01T00:00:00Z","Driver":"local","Labels":{"com.docker.volume.anonymous":""},"Mountpoint":"/var/lib/docker/volumes/'
    b'","Name":"","Options":null,"Scope":"local"}{"Name":"bridge","Id":"","Created":"","Scope":"local","Driver":"bridge","EnableIPv6":false,'
    b'"IPAM":{"Driver":"default","Options":null,"Config":[{"Subnet":"172.17.0.0/16","Gateway":"172.17.0.1"}]},"Internal":false,"Attachable":'
    b'false,"Ingress":false,"ConfigFrom":{"Network":""},"ConfigOnly":false,"Containers":{},"Options":{},"Labels":{}}'
    b"tmpfsrslaverprivatebindvolumelocal/var/lib/docker/volumes//_data02:42:ac:192.168.010.0.172.18.0.10123456789abcdef"
)
_SHORT = 8
OWN_LABELS = frozenset(
    (
        "com.docker.swarm.id",
        "com.docker.swarm.task.id",
        "com.docker.swarm.task.name",
        "com.docker.compose.container-number",
    )
)
"""Labels whose values the containers of one service do not have in common."""


class Part(Generic[T]):
    """An attribute whose slot holds the value itself, or else what `read` makes it of. `packed`: the type of the latter.

    Takes the place of the slot of a dataclass; the slot goes by the name with an underscore before it.
    """

    def __init__(self, owner: type, name: str, packed: type, read: Callable[[Any, Any], T]) -> None:
        self._slot, self._packed, self._read = owner.__dict__[name], packed, read
        self.__doc__ = None
        setattr(owner, f"_{name}", self._slot)
        setattr(owner, name, self)

    @overload
    def __get__(self, owned: None, owner: type) -> Self: ...
    @overload
    def __get__(self, owned: object, owner: type) -> T: ...
    def __get__(self, owned: object | None, owner: type) -> Self | T:
        if owned is None:
            return self
        value = self._slot.__get__(owned)
        return self._read(owned, value) if type(value) is self._packed else value

    def __set__(self, owned: object, value: object) -> None:
        self._slot.__set__(owned, value)


def deflated(data: bytes) -> bytes:
    """Compressed; always to the same bytes."""
    compressor = zlib.compressobj(6, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY, _COMMON)
    return compressor.compress(data) + compressor.flush()


def inflated(data: bytes) -> bytes:
    """What was `deflated`."""
    return zlib.decompressobj(-15, _COMMON).decompress(data)


Packed = tuple[Any, ...]
"""What many have in common as one value, with None for what is each one's own; then that, in its order."""


def packed_labels(labels: Mapping[str, str] | None, pool: Pool) -> Any:
    """Labels, their keys in order; none as an empty mapping. In common are the keys and most values."""
    if not labels:
        return {}
    keys = sorted(labels)
    common = pool.texts(
        tuple(map(pool.text, keys)), tuple([None if key in OWN_LABELS else pool.text(labels[key]) for key in keys])
    )
    own = [labels[key] for key in keys if key in OWN_LABELS]
    if not own:
        return pool.same((common,), sum(len(key) + len(labels[key]) for key in keys))
    return common, *[pool.text(each) if len(each) < _SHORT else each for each in own]


def unpacked_labels(_: object, packed: Packed) -> dict[str, str]:
    """What `packed_labels` was given."""
    (keys, values), *own = packed
    own.reverse()
    return {key: own.pop() if value is None else value for key, value in zip(keys, values, strict=True)}
