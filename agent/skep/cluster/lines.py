"""Whether an expression's value fits any line of a text: thousands of names are searched in the time of a few tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

import re2

from skep.expressions import Expression

__all__ = ["Lines", "regex_of"]

_MEMORY = 2**20  # bytes that RE2 may take for one pattern, compiled and at work
# What is one token to RE2, so that a backslash in front of another is not taken for the beginning of \A.
_TOKENS = re.compile(r"\\Q.*?(?:\\E|$)|\\.", re.DOTALL)
_LINE_ANCHORS = {r"\A": "^", r"\z": "$"}
_NO_LINES = re.compile(r"\(\?\w*-\w*m")  # takes back that ^ and $ mean a line's ends


def regex_of(expression: Expression) -> str:
    """The regular expression that the value is read as; "" for a glob."""
    return str(getattr(expression.pattern, "pattern", ""))


class Lines:
    """The test for one expression with a pattern. It is cheap to make; what costs something is made at its first use."""

    def __init__(self, expression: Expression) -> None:
        self._expression = expression

    def match(self, text: bytes) -> bool:
        """Whether the value fits a line; an empty text has none."""
        return text != b"" and self._match(text)

    @cached_property
    def _match(self) -> Callable[[bytes], bool]:
        pattern = regex_of(self._expression)
        if not self._expression.is_regex:
            return _glob(self._expression.value)
        if "\n" in pattern or r"\C" in pattern or _NO_LINES.search(pattern):
            return self._match_each
        return _regex(_TOKENS.sub(lambda found: _LINE_ANCHORS.get(found[0], found[0]), pattern))

    def _match_each(self, text: bytes) -> bool:
        return any(map(self._expression.equals, text.decode().split("\n")))


def _regex(pattern: str) -> Callable[[bytes], bool]:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.never_capture = True
    options.never_nl = True  # so that [^a] or \s stays within its line
    search = re2.compile(f"(?m){pattern}".encode(), options).search
    return lambda text: search(text) is not None


def _glob(value: str) -> Callable[[bytes], bool]:
    if "\n" in value:
        return lambda _: False
    first, *middle, last = (part.encode() for part in value.split("*"))
    inner = [part for part in middle if part]
    begin, end = b"\n" + first, last + b"\n"

    def may_match(text: bytes) -> bool:
        return (
            (not first or text.startswith(first) or begin in text)
            and (not last or text.endswith(last) or end in text)
            and all(part in text for part in inner)
        )

    if bool(first) + bool(last) + len(inner) <= 1:
        return may_match
    confirm = _regex(f"^{'.*'.join(re2.escape(part.decode()) for part in (first, *inner, last))}$")
    return lambda text: may_match(text) and confirm(text)
