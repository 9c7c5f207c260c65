"""The grammar of `from:LOOKUP==VALUE?Property=value&Property=value`, an entry in a container's environment that asks for values.

It is that of constraints, as far as it goes, and that of a URL's query behind the `?`. `%XX` stands for any byte, as in a URL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from skep import EntryLabel, Expression, ExpressionError, Lookup, PropertyError

__all__ = ["FROM", "LABEL", "AskedEntry", "FromLabel", "read_entry"]

FROM = "from"
"""The kind of entry."""
LABEL = "skep.from"
"""The label that keeps the entries, as a JSON list of texts."""

_LONGEST = 4096  # characters
_LOOKUP = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*", re.ASCII)
_PROPERTY = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*", re.ASCII)
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class AskedEntry:
    """One entry. `value` is what follows `==`, "" for none; `further` are the properties behind the `?`, as they are written."""

    text: str
    lookup: str
    value: str
    further: tuple[tuple[str, str], ...] = ()

    def properties(self, lookup: Lookup) -> dict[str, str | list[str]]:
        """What to ask the lookup: its main property has the value; one that is given several times is a list.

        Names may be in any case. Raises PropertyError for one that the lookup does not have, or the main property given twice.
        """
        found: dict[str, list[str]] = {}
        main = main_property(lookup)
        if self.value:
            if not main:
                raise PropertyError(f"from:{self.text}: lookup {self.lookup} takes no value, only ?Property=value")
            found[main] = [self.value]
        for written, value in self.further:
            name = _spelled(written, lookup)
            if name == main and self.value:
                raise PropertyError(f"from:{self.text}: {main} is given twice, after == and after ?")
            found.setdefault(name, []).append(value)
        return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def main_property(lookup: Lookup) -> str:
    """The property that the value after `==` is for: the one that is required, or, where none is, the first that is documented."""
    if lookup.required:
        return lookup.required[0]
    return next((name for name in lookup.properties if not name.endswith("*")), "")


def _spelled(written: str, lookup: Lookup) -> str:
    known: Mapping[str, str] = lookup.properties
    if written in known or not known:
        return written
    alike = [name for name in known if name.casefold() == written.casefold()]
    return alike[0] if len(alike) == 1 else written  # what there is not, the lookup refuses, and says what there is


def read_entry(text: str) -> AskedEntry:
    """Parse what follows `from:`. Raises ExpressionError naming the place and what would be right there."""
    if len(text) > _LONGEST:
        raise ExpressionError(text, _LONGEST, f"at most {_LONGEST} characters")
    if bad := _UNPRINTABLE.search(text):
        raise ExpressionError(text, bad.start(), "no control characters; %0A and the like, if need be")
    if bad := _BAD_ESCAPE.search(text):
        raise ExpressionError(text, bad.start(), "two hexadecimal digits after %; %25 stands for % itself")
    match = _LOOKUP.match(text)
    if match is None:
        raise ExpressionError(text, 0, "the name of a lookup, as in from:stack==prod")
    lookup, at = match[0], match.end()
    if not text.startswith("==", at):
        raise ExpressionError(text, at, "==, as in from:stack==prod")
    value, query, properties = text[at + 2 :].partition("?")
    if value.startswith("~"):
        raise ExpressionError(text, at + 2, "a value without ~; %7E stands for ~ itself: what is asked for is no wish")
    if not value and not properties:
        raise ExpressionError(text, at + 2, "a value, as in from:stack==prod")
    start = at + 2 + len(value) + len(query)
    return AskedEntry(text, lookup, unquote(value), _further(text, properties, start) if query else ())


def _further(text: str, properties: str, at: int) -> tuple[tuple[str, str], ...]:
    found = []
    for part in properties.split("&"):
        name, equals, value = part.partition("=")
        if not _PROPERTY.fullmatch(name) or not equals:
            raise ExpressionError(text, at, "Property=value, as in from:stack==prod?Region=eu-west-1")
        found.append((name, unquote(value)))
        at += len(part) + 1
    return tuple(found)


class FromLabel(EntryLabel):
    """The label that keeps entries of the kind; it reads them by their own grammar."""

    __slots__ = ()

    def read(self, text: str) -> Expression:
        """Parse an entry. Raises ExpressionError."""
        entry = read_entry(text)
        return Expression(text, entry.lookup, negated=False, value=entry.value)
