"""Values that many containers have in common, kept once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

__all__ = ["Pool"]

T = TypeVar("T")

MOST_VALUES = 8192
"""Values of one generation; there are two."""
MOST_CHARACTERS = 2**21
"""Characters of one generation."""
LONGEST = 512
"""Characters of a text that is worth a place; of texts that belong together, eight times as many."""


class Pool:
    """Gives back the value that is known already, where an equal one is handed in.

    What is not asked for again while `MOST_VALUES` others come is forgotten; so whatever engines send, no more than twice as many are held,
    nor twice `MOST_CHARACTERS`, and they make nothing but the sharing worse. One for each cluster.
    """

    __slots__ = ("_new", "_old", "_room")

    def __init__(self) -> None:
        self._new: dict[Hashable, Any] = {}
        self._old: dict[Hashable, Any] = {}
        self._room = MOST_CHARACTERS

    @property
    def size(self) -> int:
        """How many values are held."""
        return len(self._new) + len(self._old)

    def text(self, text: str) -> str:
        """This text."""
        found = self._new.get(text)
        if found is not None:
            return cast(str, found)
        return text if len(text) > LONGEST else self._keep(text, text, len(text))

    def known(self, text: str) -> str | None:
        """This text if it was handed in before, else None."""
        found = self._new.get(text)
        if found is None and len(text) <= LONGEST:
            found = self._old.get(text)
            self._keep(text, text, len(text))
        return cast("str | None", found)

    def texts(self, *rows: tuple[str | None, ...]) -> tuple[tuple[str | None, ...], ...]:
        """These sequences of texts, as one."""
        found = self._new.get(rows)
        if found is not None:
            return cast("tuple[tuple[str | None, ...], ...]", found)
        size = sum(len(text) for row in rows for text in row if text)
        return rows if size > 8 * LONGEST else self._keep(rows, rows, size)

    def same(self, value: T, size: int = 0) -> T:
        """This value, which can be a key of a dictionary, and is equal to none of another type (no float, no bool).

        size: the characters of its texts.
        """
        found = self._new.get(value)
        if found is not None:
            return cast(T, found)
        return value if size > 8 * LONGEST else self._keep(value, value, size)

    def parsed(self, kind: str, source: bytes, make: Callable[[], T]) -> T:
        """What `make` makes of just these bytes; `kind` names the maker. What it raises is raised each time."""
        if len(source) > MOST_CHARACTERS // 32:
            return make()
        key = kind, hashlib.blake2b(source, digest_size=16).digest()
        found = self._new.get(key)
        if found is None:
            found = self._old.get(key)
            found = self._keep(key, make() if found is None else found, len(source))
        return cast(T, found)

    def _keep(self, key: Hashable, value: T, size: int = 0) -> T:
        """Take a value in, or take it over from the last generation."""
        value = self._old.get(key, value)
        if len(self._new) >= MOST_VALUES or self._room < size:
            self._old, self._new, self._room = self._new, {}, MOST_CHARACTERS
        self._new[key] = value
        self._room -= size
        return value
