"""Values that many containers have in common, kept once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

__all__ = ["Pool"]

T = TypeVar("T")

MOST_VALUES = 16_384
"""Values of one generation; there are two."""
LONGEST = 512
"""Characters of a text that is worth a place."""


class Pool:
    """Gives back the value that is known already, where an equal one is handed in.

    What is not asked for again while `MOST_VALUES` others come is forgotten; so whatever engines send, no more than twice as many are held,
    and they make nothing but the sharing worse. One for each cluster.
    """

    __slots__ = ("_new", "_old")

    def __init__(self) -> None:
        self._new: dict[Hashable, Any] = {}
        self._old: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def text(self, text: str) -> str:
        """This text."""
        found = self._new.get(text)
        if found is not None:
            return cast(str, found)
        return text if len(text) > LONGEST else self._keep(text, text)

    def same(self, value: T) -> T:
        """This value, which is small, can be a key of a dictionary, and is equal to none of another type (no float, no bool)."""
        found = self._new.get(value)
        return cast(T, found) if found is not None else self._keep(value, value)

    def texts(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        """This sequence; each of its texts is short and known to be shared, such as the keys of labels."""
        if sum(map(len, texts)) > LONGEST:
            return tuple(map(self.text, texts))
        found = self._new.get(texts)
        return found if found is not None else self._keep(texts, tuple(map(self.text, texts)))

    def made(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is known by this key, a small one; if nothing is, what `make` makes. What it raises is raised each time."""
        found = self._new.get(key)
        if found is None:
            found = self._old.get(key)
            found = self._keep(key, make() if found is None else found)
        return cast(T, found)

    def parsed(self, kind: str, source: bytes, make: Callable[[], T]) -> T:
        """What is made of just these bytes; `kind` names the maker."""
        return self.made((kind, hashlib.blake2b(source, digest_size=16).digest()), make)

    def _keep(self, key: Hashable, value: T) -> T:
        """Take a value in, or take it over from the last generation."""
        known = self._old.get(key)
        if len(self._new) >= MOST_VALUES:
            self._old, self._new = self._new, {}
        self._new[key] = value if known is None else known
        return cast(T, self._new[key])
