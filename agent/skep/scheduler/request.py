"""What is to be placed: a create request, with its scheduling entries taken out of the environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from skep.errors import RequestError
from skep.expressions import MOST_EXPRESSIONS, MOST_REGEXES, Expression, parse_expression
from skep.models import Container
from skep.scheduler.body import read_body

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
    before them) is put in when it is sent; see `skep.scheduler.engine_body`.
    """

    container: Container
    expressions: Mapping[str, tuple[Expression, ...]] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

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
        env, entries = _taken_out(container.env, kinds)
        labels = dict(container.labels)
        for kind, label in kinds.items():
            entries[kind] = _from_label(labels.get(label, ""), label) + entries[kind]
            if entries[kind]:
                labels[label] = msgspec.json.encode(entries[kind]).decode()
        decoded["Env"], decoded["Labels"] = env, labels
        expressions = {kind: _parsed(texts) for kind, texts in entries.items() if texts}
        _check_number(expressions)
        return cls(replace(container, env=tuple(env), labels=labels), expressions, decoded)

    def with_label(self, key: str, value: str) -> PlacementRequest:
        """The same request, its container with one more label, or another value of it."""
        labels = {**self.container.labels, key: value}
        return replace(self, container=replace(self.container, labels=labels), body={**self.body, "Labels": labels})

    @property
    def wishes(self) -> tuple[Expression, ...]:
        """The soft expressions of all kinds."""
        return tuple(each for found in self.expressions.values() for each in found if each.soft)


def _checked_name(name: str) -> str:
    bare = name.removeprefix("/")
    if name and not _NAME.fullmatch(bare):
        raise RequestError(f"Invalid container name ({name[:200]}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    return bare


def _taken_out(env: Iterable[str], kinds: Mapping[str, str]) -> tuple[list[str], dict[str, list[str]]]:
    rest: list[str] = []
    entries: dict[str, list[str]] = {kind: [] for kind in kinds}
    for entry in env:
        kind, colon, text = entry.partition(":")
        if colon and kind in entries:
            entries[kind].append(text)
        else:
            rest.append(entry)
    return rest, entries


def _from_label(text: str, label: str) -> list[str]:
    if not text:
        return []
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise RequestError(f'label {label}: expected a JSON list of texts, such as ["node==node-1"]') from None


def _parsed(texts: list[str]) -> tuple[Expression, ...]:
    if len(texts) > MOST_EXPRESSIONS:
        raise RequestError(f"{len(texts)} constraints or affinities: expected at most {MOST_EXPRESSIONS}")
    return tuple(map(parse_expression, texts))


def _check_dependencies(container: Container, body: Mapping[str, Any]) -> None:
    networking = body.get("NetworkingConfig")
    networks = networking.get("EndpointsConfig") if isinstance(networking, dict) else None
    number = len(container.links) + len(container.volumes_from) + len(networks if isinstance(networks, dict) else ())
    if number > _MOST_DEPENDENCIES:
        raise RequestError(f"{number} links, volumes from and networks: expected at most {_MOST_DEPENDENCIES}")


def _check_number(expressions: Mapping[str, tuple[Expression, ...]]) -> None:
    number = sum(map(len, expressions.values()))
    if number > MOST_EXPRESSIONS:
        raise RequestError(f"{number} constraints and affinities: expected at most {MOST_EXPRESSIONS}")
    regexes = sum(each.is_regex for found in expressions.values() for each in found)
    if regexes > MOST_REGEXES:
        raise RequestError(f"{regexes} regular expressions: expected at most {MOST_REGEXES}")
