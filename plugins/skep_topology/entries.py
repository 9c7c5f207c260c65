"""What a request wants spread, and which containers are of its kind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self

from skep import Container, Expression, ExpressionError

__all__ = ["LABEL", "Spread", "groups_of"]

LABEL = "skep.spread"
"""The label that keeps a container's entries, a JSON list of texts."""

MOST_SKEW = 10_000
_MOST_KEYS = 100  # of one container, as many as a request may bring entries
_EXPECTED = f"a whole number from 1 to {MOST_SKEW}, by how many two domains may differ"

Group = tuple[str, tuple[str, ...]]
"""Containers that are spread together: the key of their entry, and who they are."""


@dataclass(frozen=True, slots=True)
class Spread:
    """One entry, read: over which key, and by how many containers domains may differ."""

    key: str
    skew: int
    text: str

    @classmethod
    def read(cls, expression: Expression) -> Self:
        """Read an entry. Raises ExpressionError naming the place."""
        text, value = expression.text, expression.value
        if expression.negated:
            raise ExpressionError(text, len(expression.key), "==")
        if not (value.isascii() and value.isdigit() and len(value) <= 5 and 1 <= int(value) <= MOST_SKEW):
            raise ExpressionError(text, max(0, len(text) - len(value)), _EXPECTED)
        return cls(expression.key, int(value), text)


def groups_of(container: Container, group_by: Sequence[str]) -> Iterator[Group]:
    """The groups that a container belongs to, by its entries.

    Who it is: the values of the labels `group_by` where it has all of them, else its image.
    """
    kept = container.label(LABEL)
    if kept is None:
        return
    values = tuple(container.label(label) or "" for label in group_by)
    who = values if values and all(values) else ("", container.image)
    for key in dict.fromkeys(islice(_keys(kept), _MOST_KEYS)):
        yield key, who


def _keys(kept: str) -> Iterator[str]:
    try:
        entries = json.loads(kept)
    except (ValueError, RecursionError):
        return  # another's label of that name
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, str):
            yield entry.removeprefix("~").partition("==")[0]
