"""How a container is kept: what changes in slots, what many have in common in one tuple for all of them, all else of its own in a few bytes.

A manager may know tens of thousands of containers, and those of one service differ in little: ids, addresses, ports, an entry or two of
environment and labels. So `same` has all that is equal for a service, as one tuple that its containers share, with None where a value is a
container's own; `ends` has what the containers of a node share of their networks; `own` is the rest, encoded. A container that is made
otherwise (a request, a copy with other values) has plain values in `own` and nothing in `ends`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

import msgspec

from skep.models.parts import OWN_LABELS
from skep.models.pool import Pool

__all__ = ["PACKED", "SAME", "SLOTS", "Texts", "kept", "label", "packed", "put_slots", "slots_of"]

C = TypeVar("C", bound=type)

SLOTS = ("id", "name", "node", "created", "state", "started_at", "finished_at", "exit_code", "restart_count", "health")
"""What has a slot of its own; beside `_hostname`, None where it is the beginning of the id."""
SAME = (
    "image", "image_id", "command", "exposed", "bindings", "network_mode", "links", "volumes_from", "memory", "nano_cpus", "cpu_shares",
    "auto_remove", "stop_signal",
)  # fmt: skip
"""What `same` begins with; after it come the templates of `PACKED` but networks."""
PACKED = ("labels", "env", "ports", "mounts", "networks")

_LABELS, _ENV, _PORTS, _MOUNTS = range(len(SAME), len(SAME) + 4)
_MOST_ROWS = 16  # ports, mounts or networks of one container; a template of more is not worth a place in the pool
_LEAST_HEX = 32
_LEAST_DEFLATED = 1024  # bytes; what is encoded never begins with a zero byte
_STORED = (*SLOTS, "_hostname", "_same", "_ends", "_own")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

Texts = Sequence[str]
Rows = list[tuple[Any, ...]]


def packed(
    pool: Pool, same: tuple[Any, ...], labels: Mapping[str, str] | None, env: Texts, ports: Rows, mounts: Rows, networks: Rows
) -> tuple[tuple[Any, ...], tuple[Any, ...], bytes]:  # fmt: skip
    """`same`, `ends` and `own`; always the same for a pool that has seen all of it before.

    Each row has the values of a `Port`, `Mount` or `Endpoint` in their order.
    """
    of_labels, own_labels = _pack_labels(labels or {}, pool)
    of_env, own_env = _pack_env(env, pool)
    of_ports, own_ports = _pack_rows(ports, _port)
    of_mounts, own_mounts = _pack_rows(mounts, lambda row: _mount(row, pool))
    ends, own_ends = _pack_rows(networks, _end)
    size = sum(len(text) for text in same if type(text) is str)
    size += sum(map(len, env)) + sum(len(key) + len(value) for key, value in (labels or {}).items())
    size += sum(len(text) for row in of_mounts or () for text in row if type(text) is str)
    shared = pool.same((*same, of_labels, of_env, of_ports, of_mounts), size)
    data = _encode((own_labels, own_env, own_ports, own_mounts, own_ends))
    if len(data) >= _LEAST_DEFLATED:
        data = b"\0" + zlib.compress(data)
    return shared, pool.same(ends, sum(map(len, map(str, ends or ())))), data


def _own(data: bytes) -> Any:
    return _decode(data if data[0] else zlib.decompress(data[1:]))


def _hex(text: str) -> str | bytes:
    """Ids in half their length."""
    if len(text) < _LEAST_HEX:
        return text
    try:
        data = bytes.fromhex(text)
    except ValueError:
        return text
    return data if data.hex() == text else text


def _mac(text: str) -> str | bytes:
    """`02:42:ac:12:00:02` in a third of its length."""
    try:
        data = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        return text
    return data if data and data.hex(":") == text else text


def _text(own: Any) -> Any:
    return own.hex() if type(own) is bytes else own


def _pack_labels(labels: Mapping[str, str], pool: Pool) -> tuple[Any, Any]:
    """Their keys in order. In common are the keys and most values."""
    if not labels:
        return None, ()
    keys = sorted(labels)
    values = tuple([None if key in OWN_LABELS else pool.text(labels[key]) for key in keys])
    return pool.texts(tuple(map(pool.text, keys)), values), [_hex(labels[key]) for key in keys if key in OWN_LABELS]


def _unpack_labels(template: Any, own: Any) -> dict[str, str]:
    values = iter(own)
    return {key: _text(next(values)) if value is None else value for key, value in zip(*template, strict=True)}


def _pack_env(env: Texts, pool: Pool) -> tuple[Any, Any]:
    """In common is what others had before; where that is little, all is its own."""
    common = tuple(map(pool.known, env))
    own = [entry for entry, known in zip(env, common, strict=True) if known is None]
    return (None, env) if len(own) * 4 > len(env) else (pool.texts(common)[0], own)


def _unpack_env(template: Any, own: Any) -> tuple[str, ...]:
    values = iter(own)
    return tuple([next(values) if entry is None else entry for entry in template])


def _pack_rows(rows: Rows, split: Callable[[tuple[Any, ...]], tuple[tuple[Any, ...], list[Any]]]) -> tuple[Any, Any]:
    if len(rows) > _MOST_ROWS:
        return None, rows
    halves = [split(row) for row in rows]
    return tuple([common for common, _ in halves]), [value for _, own in halves for value in own]


def _port(row: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]]:
    private, protocol, public, ip = row
    return (private, protocol, ip), [public]


def _ports_of(template: Any, own: Iterator[Any]) -> Iterator[tuple[Any, ...]]:
    for private, protocol, ip in template:
        yield private, protocol, next(own), ip


def _mount(row: tuple[Any, ...], pool: Pool) -> tuple[tuple[Any, ...], list[Any]]:
    """In common is a source that others had before, and of one that has the volume's name in it, the rest."""
    kind, name, source, *more = row
    if len(name) >= _LEAST_HEX and name in source:
        before, _, after = source.partition(name)
        return (kind, pool.text(before), pool.text(after), *more), [_hex(name)]
    common = pool.known(source)
    return (kind, None, common, *more), [_hex(name)] if common is not None else [_hex(name), source]


def _mounts_of(template: Any, own: Iterator[Any]) -> Iterator[tuple[Any, ...]]:
    for kind, before, rest, *more in template:
        name = _text(next(own))
        if before is not None:
            yield kind, name, f"{before}{name}{rest}", *more
        else:
            yield kind, name, next(own) if rest is None else rest, *more


def _end(row: tuple[Any, ...]) -> tuple[tuple[Any, ...], list[Any]]:
    network, network_id, endpoint_id, ip, prefix_len, gateway, ipv6, mac = row
    return (network, network_id, prefix_len, gateway), [_hex(endpoint_id), ip, ipv6, _mac(mac)]


def _ends_of(template: Any, own: Iterator[Any]) -> Iterator[tuple[Any, ...]]:
    for network, network_id, prefix_len, gateway in template:
        endpoint_id, ip, ipv6, mac = _text(next(own)), next(own), next(own), next(own)
        yield network, network_id, endpoint_id, ip, prefix_len, gateway, ipv6, mac if type(mac) is str else mac.hex(":")


_ROWS = {"ports": _ports_of, "mounts": _mounts_of, "networks": _ends_of}


def label(owner: Any, key: str) -> str | None:
    """One label; most are found without unpacking any."""
    own = owner._own
    if type(own) is tuple:
        found: str | None = own[0].get(key)
        return found
    template = owner._same[_LABELS]
    if template is None or key not in template[0]:
        return None
    keys, values = template
    at = keys.index(key)
    value = values[at]
    return _text(_own(own)[0][values[:at].count(None)]) if value is None else value  # type: ignore[no-any-return]


def label_keys(owner: Any) -> tuple[str, ...]:
    """The keys of its labels, in order; nothing is unpacked."""
    own = owner._own
    if type(own) is tuple:
        return tuple(sorted(own[0]))
    template = owner._same[_LABELS]
    return () if template is None else template[0]


def _read(owner: Any, at: int, name: str, kind: Callable[..., Any] | None) -> Any:
    own = owner._own
    if type(own) is tuple:
        return own[at]
    values, template = _own(own)[at], owner._ends if name == "networks" else owner._same[len(SAME) + at]
    if kind is not None:
        rows: Iterable[Any] = values if template is None else _ROWS[name](template, iter(values))
        return tuple([kind(*row) for row in rows])
    if name == "labels":
        return {} if template is None else _unpack_labels(template, values)
    return tuple(values) if template is None else _unpack_env(template, values)


def _shared(at: int) -> property:
    return property(lambda owner: owner._same[at])


def _reader(name: str, kind: Callable[..., Any] | None) -> property:
    at = PACKED.index(name)
    return property(lambda owner: _read(owner, at, name, kind))


def kept(**kinds: Callable[..., Any]) -> Callable[[C], C]:
    """Have a frozen dataclass with the fields of SLOTS, SAME and PACKED, and `hostname`, keep them so. `kinds`: what rows are made into."""

    def rebuilt(cls: C) -> C:
        """A class cannot be given other slots: it is made anew, as `dataclass(slots=True)` does."""
        names = [each.name for each in fields(cls)]
        defaults = {each.name: each.default for each in fields(cls) if each.default is not MISSING}
        made = {name: value for name, value in vars(cls).items() if name not in (*names, "__dict__", "__weakref__")}
        made |= {"__slots__": _STORED, "__init__": _maker(names, defaults), "__reduce__": _reduce}
        made |= {name: _shared(at) for at, name in enumerate(SAME)}
        made |= {name: _reader(name, kinds.get(name)) for name in PACKED}
        made["hostname"] = property(lambda owner: owner.id[:12] if owner._hostname is None else owner._hostname)
        return type(cls)(cls.__name__, cls.__bases__, made)

    return rebuilt


_same_of, _packed_of = itemgetter(*SAME), itemgetter(*PACKED)


def _maker(names: list[str], defaults: dict[str, Any]) -> Callable[..., None]:
    every = frozenset(names)

    def __init__(self: Any, *values: Any, **given: Any) -> None:  # noqa: N807
        told = {**defaults, "labels": {}, **dict(zip(names, values, strict=False)), **given}
        if told.keys() != every or len(values) > len(names):
            wrong = ", ".join(sorted(every ^ told.keys())) or f"{len(values)} values"
            raise TypeError(f"{type(self).__name__}() was called with wrong or missing arguments: {wrong}")
        put_slots(self, (*_slots_of(told), told["hostname"], _same_of(told), (), _packed_of(told)))

    return __init__


_slots_of = itemgetter(*SLOTS)
slots_of = attrgetter(*_STORED)
"""All that is stored of a container, in the order of its slots."""


def put_slots(owner: Any, values: Iterable[Any]) -> None:
    """Store all of a container that has nothing yet."""
    for name, value in zip(_STORED, values, strict=True):
        object.__setattr__(owner, name, value)


def _restored(cls: type, values: tuple[Any, ...]) -> Any:
    new: Any = object.__new__(cls)
    put_slots(new, values)
    return new


def _reduce(self: Any) -> Any:
    return _restored, (type(self), slots_of(self))
