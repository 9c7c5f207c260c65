"""The grammar of constraints and affinities: `key==value`, `key!=value`, and `key==~value` for what is only wished.

Source: classic Swarm's expressions. A value is a glob (`*` stands for anything, all else for itself), or, between slashes, a regular
expression in RE2's syntax, searched for anywhere in the text. RE2 takes linear time whatever the pattern.
Beyond Swarm's a value may hold `@` and `,`, so that an image's digest can be named; `/` alone and a broken regular expression
are errors here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol

import re2

from skep.errors import ExpressionError

__all__ = ["MOST_EXPRESSIONS", "MOST_REGEXES", "Expression", "parse_expression"]

MOST_EXPRESSIONS = 100
"""How many expressions one request may bring: each may have to look at every container once."""
MOST_REGEXES = 50
"""How many of them may be regular expressions: each may cost a few milliseconds to compile."""

_LONGEST = 4096  # characters
_LONGEST_REGEX = 512  # RE2 needs up to 20 µs for one of its characters to compile (\\pL), in the event loop
_REGEX_MEMORY = 2**18  # bytes that RE2 may take for one pattern, compiled and at work
_NOTHING_SPECIAL = re.compile(r"[A-Za-z0-9 :_/@,=!-]+", re.ASCII)
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]+", re.ASCII)
_KEY_START = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_.-]*)?", re.ASCII)
_NO_VALUE = re.compile(r"[=!]?~*")  # `key===` has no value, `key===x` the value `=x`
_VALUE_START = re.compile(r"[=!/]?~?[A-Za-z0-9 \t\n\f\r:\-_.*/()?+\[\]\\^$|@,]*", re.ASCII)


class _Pattern(Protocol):
    def search(self, text: str) -> object: ...


@dataclass(frozen=True, slots=True)
class Expression:
    """One parsed expression. `text` is the whole as it was written; `value` comes without the `~` of a soft one.

    `negated`: the operator is `!=`. `soft`: it is a wish, passed over when nothing else fits. `pattern` is None where the value
    fits nothing but itself.
    """

    text: str
    key: str
    negated: bool
    value: str
    soft: bool = False
    pattern: _Pattern | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        return self.text

    @property
    def is_regex(self) -> bool:
        """Whether the value is a regular expression."""
        return self.pattern is not None and not isinstance(self.pattern, _Glob)

    def as_in_swarm(self) -> Expression:
        """The same expression with its glob read as classic Swarm does: `*` is anything, all else is a regular expression's text.

        Raises ExpressionError where that is none, or a longer one than is taken.
        """
        return self if self.is_regex or _NOTHING_SPECIAL.fullmatch(self.value) else _in_swarm(self)

    def equals(self, candidate: str) -> bool:
        """Whether the value, read as a pattern, fits `candidate`, whatever the operator."""
        if self.pattern is None:
            return self.value == candidate
        try:
            return bool(self.pattern.search(candidate))
        except UnicodeEncodeError:  # half of a surrogate pair, which no engine sends: it fits no regular expression
            return False

    def accepts(self, candidates: Iterable[str]) -> bool:
        """For `==` whether any candidate fits, for `!=` whether none does."""
        return any(map(self.equals, candidates)) is not self.negated


@lru_cache(maxsize=128)
def parse_expression(text: str, alone: str = "") -> Expression:
    """Parse one expression. Raises ExpressionError naming the place and what would be right there.

    alone: the value of one that is a key alone, `key` or `~key`, with nothing after it; "" does not allow that.
    """
    if len(text) > _LONGEST:
        raise ExpressionError(text, _LONGEST, f"at most {_LONGEST} characters")
    at = text.find("==")
    negated = at < 0
    if negated:
        at = text.find("!=")
    if at < 0 and alone:
        key = text.removeprefix("~")
        typed = next((place for place, each in enumerate(key) if each in "=!"), len(key))
        if typed < len(key) and _KEY.fullmatch(key[:typed]):
            raise ExpressionError(text, len(text) - len(key) + typed, "== and a value, or nothing more than the key")
        _check(text, key, alone, len(text), key_at=len(text) - len(key))
        return Expression(text, key, negated=False, value=alone, soft=key != text)
    if at < 0:
        typed = min((place for place in map(text.find, "=!~") if place >= 0), default=len(text))
        raise ExpressionError(text, typed, "one of the operators == and !=, as in key==value")
    key, raw = text[:at], text[at + 2 :]
    _check(text, key, raw, at + 2)
    soft = raw.startswith("~")
    value = raw.lstrip("~")
    pattern = _compile(text, at + 2 + soft, value)
    return Expression(text, key, negated, value, soft, pattern)


def _check(text: str, key: str, raw: str, start: int, key_at: int = 0) -> None:
    if not _KEY.fullmatch(key):
        match = _KEY_START.match(key)
        at = match.end() if match else 0
        raise ExpressionError(
            text,
            key_at + at,
            "a key of two or more letters, digits, '_', '.' and '-', not beginning with a digit, '.' or '-'",
        )
    if _NO_VALUE.fullmatch(raw):
        raise ExpressionError(text, len(text), "a value")
    match = _VALUE_START.match(raw)
    if match is None or match.end() < len(raw):
        at = start + (match.end() if match else 0)
        raise ExpressionError(text, at, r"a value of letters, digits, blanks and : - _ . * / ( ) ? + [ ] \ ^ $ | @ ,")


def _compile(text: str, at: int, value: str) -> _Pattern | None:
    if value == "/":
        raise ExpressionError(text, at, "a second /, as in /regular expression/")
    if value.startswith("/") and value.endswith("/"):
        return _regex(text, at, value[1:-1])
    return _Glob(value.split("*")) if "*" in value else None


def _regex(text: str, at: int, pattern: str) -> _Pattern:
    if len(pattern) > _LONGEST_REGEX:
        raise ExpressionError(text, at, f"a regular expression of at most {_LONGEST_REGEX} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _REGEX_MEMORY
    options.never_capture = True
    try:
        regex: _Pattern = re2.compile(pattern, options)
    except re2.error as error:
        raise ExpressionError(text, at, f"a regular expression ({_told(error)})") from None
    return regex


@lru_cache(maxsize=128)
def _in_swarm(expression: Expression) -> Expression:
    value = expression.value
    at = len(expression.text) - len(value)
    return replace(expression, pattern=_regex(expression.text, at, f"^{value.replace('*', '.*')}$"))


def _told(error: Exception) -> str:
    cause = error.args[0] if error.args else error
    return cause.decode(errors="replace") if isinstance(cause, bytes) else str(cause)


class _Glob:
    """`parts` in their order, with anything between them. Takes the first place of each, which is enough for a glob."""

    __slots__ = ("_first", "_last", "_middle")

    def __init__(self, parts: list[str]) -> None:
        self._first, *middle, self._last = parts
        self._middle = [part for part in middle if part]

    def search(self, text: str) -> bool:
        at, end = len(self._first), len(text) - len(self._last)
        if at > end or not text.startswith(self._first) or not text.endswith(self._last):
            return False
        for part in self._middle:
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True
