"""What is to be placed: a create request, with its scheduling entries taken out of the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from skep.errors import ExpressionError, RequestError
from skep.expressions import MOST_EXPRESSIONS, MOST_REGEXES, Expression, parse_expression
from skep.models import Container
from skep.scheduler.body import read_body
from skep.scheduler.entries import RESCHEDULE, Entries, Entry, EntryLabel, check_policies, take_out

__all__ = ["PlacementRequest"]

_MOST_DEPENDENCIES = 1000  # each is looked up in the whole cluster, and named where it is missing
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class PlacementRequest:
    """A container that is to be placed.

    `container` is what is asked for (state pending, no id, no node; its name "" where none is asked for, else without a leading slash).
    `expressions` are the parsed scheduling entries by kind (`constraint`, `affinity`, …). `body` is the body of
    `POST /containers/create`: scheduling entries are not in `Env` but in labels, as JSON lists, so that they outlive this process;
    its keys have the Engine API's spelling, whatever came. What the chosen node alone decides (the weight of a CPU, names with a node's
    before them) is put in when it is sent; see `skep.scheduler.engine_body`. `doubts` are hints for the client, such as that
    `contraint:node==a` is no constraint.
    """

    container: Container
    expressions: Mapping[str, tuple[Expression, ...]] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @classmethod
    def from_create(cls, body: bytes, name: str = "", *, kinds: Mapping[str, str]) -> PlacementRequest:
        """Read a body of `POST /containers/create`.

        `kinds` maps each kind of entry, which is its prefix in the environment (`constraint`), to the label that keeps it.
        Raises RequestError (400) for a body that is not what the Engine API says or a name that docker does not take,
        ExpressionError for a bad entry.
        """
        name = _checked_name(name)
        decoded = read_body(body)
        container = Container.from_create(msgspec.json.encode(decoded), name)
        _check_dependencies(container, decoded)
        found = take_out(container.env, container.labels, kinds)
        check_policies(found.by_kind.get(RESCHEDULE, []))
        expressions = _expressions(found, kinds)
        decoded["Env"], decoded["Labels"] = found.env, found.labels
        container = replace(container, env=tuple(found.env), labels=found.labels)
        return cls(container, expressions, decoded, found.doubts)

    def with_label(self, key: str, value: str) -> PlacementRequest:
        """The same request, its container with one more label, or another value of it."""
        labels = {**self.container.labels, key: value}
        return replace(self, container=replace(self.container, labels=labels), body={**self.body, "Labels": labels})

    def with_entry(self, kind: str, text: str, label: str) -> PlacementRequest:
        """The same request with one more scheduling entry, which `label` keeps. Raises ExpressionError."""
        kept = msgspec.json.decode(self.container.labels.get(label) or "[]", type=list[str])
        expressions = (*self.expressions.get(kind, ()), parse_expression(text))
        found = self.with_label(label, msgspec.json.encode([*kept, text]).decode())
        return replace(found, expressions={**self.expressions, kind: expressions})

    @property
    def wishes(self) -> tuple[Expression, ...]:
        """The soft expressions of all kinds."""
        return tuple(each for found in self.expressions.values() for each in found if each.soft)


def _checked_name(name: str) -> str:
    bare = name.removeprefix("/")
    if name and not _NAME.fullmatch(bare):
        raise RequestError(f"Invalid container name ({name[:200]}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return bare


def _expressions(found: Entries, kinds: Mapping[str, str]) -> dict[str, tuple[Expression, ...]]:
    entries = {kind: each for kind in kinds if (each := found.by_kind.get(kind)) and kind != RESCHEDULE}
    number = sum(map(len, entries.values()))
    if number > MOST_EXPRESSIONS:
        raise RequestError(f"{number} scheduling entries ({', '.join(entries)}): expected at most {MOST_EXPRESSIONS}")
    expressions = {kind: tuple(_parsed(kind, each, kinds[kind]) for each in listed) for kind, listed in entries.items()}
    regexes = sum(each.is_regex for parsed in expressions.values() for each in parsed)
    if regexes > MOST_REGEXES:
        raise RequestError(f"{regexes} regular expressions: expected at most {MOST_REGEXES}")
    return expressions


def _parsed(kind: str, entry: Entry, label: str) -> Expression:
    try:
        return label.read(entry.text) if isinstance(label, EntryLabel) else parse_expression(entry.text)
    except ExpressionError as error:
        raise error.found_in(kind, entry.where) from None


def _check_dependencies(container: Container, body: Mapping[str, Any]) -> None:
    networking = body.get("NetworkingConfig")
    networks = networking.get("EndpointsConfig") if isinstance(networking, dict) else None
    number = len(container.links) + len(container.volumes_from) + len(networks if isinstance(networks, dict) else ())
    if number > _MOST_DEPENDENCIES:
        raise RequestError(f"{number} links, volumes from and networks: expected at most {_MOST_DEPENDENCIES}")
