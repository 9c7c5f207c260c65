"""The grammar of constraints and affinities: `key==value`, `key!=value`, and `key==~value` for what is only wished.

Source: classic Swarm's expressions. A value is a glob (`*` stands for anything), or, between slashes, a regular expression with RE2's
syntax, searched for anywhere in the text. RE2 takes linear time whatever the pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import re2

from skep.errors import ExpressionError

__all__ = ["Expression", "parse_expression"]

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]+", re.ASCII)


class _Pattern(Protocol):
    def search(self, text: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Expression:
    """One parsed expression. `text` is it as it was written, `value` without the `~` of a soft one.

    `negated`: the operator is `!=`. `soft`: it is a wish, passed over when nothing else fits.
    """

    text: str
    key: str
    negated: bool
    value: str
    soft: bool = False
    pattern: _Pattern | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    def equals(self, candidate: str) -> bool:
        """Whether the value, read as a pattern, fits `candidate`, whatever the operator."""
        return self.value == candidate if self.pattern is None else self.pattern.search(candidate) is not None

    def accepts(self, candidates: Iterable[str]) -> bool:
        """For `==` whether any candidate fits, for `!=` whether none does."""
        return any(map(self.equals, candidates)) is not self.negated


def parse_expression(text: str) -> Expression:
    """Parse one expression. Raises ExpressionError naming the place and what would be right there."""
    equal, unequal = text.find("=="), text.find("!=")
    at = equal if equal >= 0 else unequal
    if at < 0:
        raise ExpressionError(text, len(text), "one of the operators == and !=, as in key==value")
    key, raw = text[:at], text[at + 2 :]
    if not _KEY.fullmatch(key):
        raise ExpressionError(
            text, 0, "a key of two or more letters, digits, '_', '.' and '-', not beginning with a digit"
        )
    value = raw.lstrip("~")
    if not value:
        raise ExpressionError(text, len(text), "a value")
    return Expression(
        text, key, equal < 0, value, raw.startswith("~"), _compile(text, at + 2 + len(raw) - len(value), value)
    )


def _compile(text: str, at: int, value: str) -> _Pattern | None:
    if len(value) > 1 and value.startswith("/") and value.endswith("/"):
        try:
            return _regex(value[1:-1])
        except re2.error as error:
            raise ExpressionError(text, at, f"a regular expression ({error})") from None
    if "*" not in value:
        return None
    return _regex("^" + ".*".join(re2.escape(part) for part in value.split("*")) + "$")


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> _Pattern:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 2**20
    compiled: _Pattern = re2.compile(pattern, options)
    return compiled
