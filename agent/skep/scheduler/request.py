"""What is to be placed: a create request, with its scheduling entries taken out of the environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from skep.errors import RequestError
from skep.expressions import Expression, parse_expression
from skep.models import Container

__all__ = ["PlacementRequest"]


@dataclass(frozen=True, slots=True)
class PlacementRequest:
    """A container that is to be placed.

    `container` is what is asked for (state pending, no id, no node; its name "" where none is asked for). `expressions` are the parsed
    scheduling entries by kind (`constraint`, `affinity`, …). `body` is the body of `POST /containers/create` as the engine shall get
    it: scheduling entries are not in `Env` but in labels, as JSON lists, so that they outlive this process.
    """

    container: Container
    expressions: Mapping[str, tuple[Expression, ...]] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_create(cls, body: bytes, name: str = "", *, kinds: Mapping[str, str]) -> PlacementRequest:
        """Read a body of `POST /containers/create`.

        `kinds` maps each kind of entry, which is its prefix in the environment (`constraint`), to the label that keeps it.
        Raises RequestError (400) for a body that is not what the Engine API says, ExpressionError for a bad entry.
        """
        container = Container.from_create(body, name)
        decoded = msgspec.json.decode(body)
        env, entries = _taken_out(container.env, kinds)
        labels = dict(container.labels)
        for kind, label in kinds.items():
            entries[kind] = _from_label(labels.get(label, ""), label) + entries[kind]
            if entries[kind]:
                labels[label] = msgspec.json.encode(entries[kind]).decode()
        decoded["Env"], decoded["Labels"] = env, labels
        expressions = {kind: tuple(map(parse_expression, texts)) for kind, texts in entries.items() if texts}
        return cls(replace(container, env=tuple(env), labels=labels), expressions, decoded)


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
