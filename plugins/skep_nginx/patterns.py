r"""Regular expressions of containers, which nginx matches by PCRE: only a subset whose cost is bounded.

PCRE tries one way after the other, so `(a+)+$` takes time that doubles with each letter of a request. What may be repeated here is a
single character or class, never a group; so is, by `bounded`, the length of the text that is looked at; and the ways in which a pattern
can try to match such a text, its `effort`, are counted and limited. PCRE itself gives up after ten million, and nginx then answers
nobody whom a later pattern would have matched. References, look-around, and names for groups (which would be variables of nginx) are
refused, and so is what RE2 does not read.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from dataclasses import dataclass

import re2

from skep_nginx.values import short

__all__ = ["bounded", "check_pattern", "compile_pattern", "effort", "literal_ends"]

_LONGEST = 200
_TOKEN = re.compile(
    r"""
      (?P<escape>   \\ [dwsDWSbB.\-/^$*+?()\[\]{}|_~@%:=&,'!] )
    | (?P<group>    \( (?:\?:)? (?!\?) )
    | (?P<class>    \[ \^? (?: [A-Za-z0-9_./~%@:=,&!*+?$ -] | \\ [dwsDWS.\-/\]\[^\\] )+ \] )
    | (?P<repeat>   [*+] \?? | \{ \d{1,2} (?: , \d{0,2} )? \} \?? )
    | (?P<maybe>    \? \?? )
    | (?P<close>    \) )
    | (?P<either>   \| )
    | (?P<plain>    [A-Za-z0-9_/~%@:=,&'!.^$-] )
    """,
    re.VERBOSE,
)
_EXACT = re.compile(r"\{\d{1,2}\}\??")
_RANGE_OF_CLASS = re.compile(r"\\[dwsDWS]-[^\]]|-\\[dwsDWS]")
_REPEATABLE = ("escape", "class", "plain")
_ANCHORS = ("^", "$", r"\b", r"\B")


def check_pattern(text: str, *, longest: int, most: int) -> None:
    """Raise ValueError unless nginx can match it in bounded time: `most` ways of trying it on a text of `longest` characters."""
    if not text:
        raise ValueError("expected a regular expression after ~")
    if len(text) > _LONGEST:
        raise ValueError(f"a regular expression has at most {_LONGEST} characters, this one {len(text)}")
    if effort(text, longest) > most:
        raise ValueError(
            "its time would not be bounded: it can match in too many ways; use fewer of *, +, {n,m}, ? and |, and ^ at the beginning"
        )
    try:
        compile_pattern(text)
    except re2.error as error:
        raise ValueError(f"it is no regular expression: {str(error)[:60]!a}") from None


@functools.lru_cache(maxsize=4096)
def effort(text: str, longest: int) -> int:
    """In how many ways PCRE may try it on a text of so many characters, before it says no. Raises ValueError for what is not taken."""
    anchored, _ = _measure(text, longest)
    _, ways = _measure(text, longest, _Ways() if anchored else _Ways(longest, 1))
    return math.ceil(ways)


@dataclass
class _Ways:
    """Of a sequence: in how many ways it matches, and how many repetitions there are in each of them at least. The second repetition has
    what the first one left, so that on average it has half as many ways, the third one a third.
    """

    ways: float = 1.0
    repeats: int = 0

    def repeat(self, longest: int) -> None:
        self.repeats += 1
        self.ways *= longest / self.repeats

    def follow(self, choices: list[_Ways]) -> None:
        """One of these comes next."""
        self.ways *= sum(each.ways for each in choices)
        self.repeats += min(each.repeats for each in choices)


def _measure(text: str, longest: int = 0, start: _Ways | None = None) -> tuple[bool, float]:
    """Whether it can match at the beginning only, and in how many ways it can be tried."""
    position, before, anchored = 0, "", text.startswith("^")
    groups: list[list[_Ways]] = [[start or _Ways()]]
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"{short(text[position : position + 10])} is not taken in a regular expression here")
        kind = "anchor" if token[0] in _ANCHORS else token.lastgroup or ""
        _check_token(token[0], kind, before)
        current = groups[-1][-1]
        if kind == "group":
            groups.append([_Ways()])
        elif kind == "close":
            if len(groups) == 1:
                raise ValueError("its parentheses do not match")
            choices = groups.pop()
            groups[-1][-1].follow(choices)
        elif kind == "either":
            anchored &= len(groups) > 1
            groups[-1].append(_Ways(start.ways, start.repeats) if start and len(groups) == 1 else _Ways())
        elif kind == "maybe":
            current.ways *= 2
        elif kind == "repeat" and not _EXACT.fullmatch(token[0]):
            current.repeat(longest)
        position, before = token.end(), kind
    if len(groups) > 1:
        raise ValueError("its parentheses do not match")
    return anchored, sum(each.ways for each in groups[0])


def _check_token(text: str, kind: str, before: str) -> None:
    if kind == "repeat" and before not in _REPEATABLE:
        raise ValueError("what is repeated must be one character or class, not a group: its time would not be bounded")
    if kind == "maybe" and before not in (*_REPEATABLE, "close"):
        raise ValueError("? must follow a character, a class or a group")
    if kind == "class" and _RANGE_OF_CLASS.search(text):
        raise ValueError(f"{short(text)} is no class: a range is between two characters")


@functools.lru_cache(maxsize=4096)
def literal_ends(text: str) -> tuple[str, str]:
    """What all that a pattern matches begins and ends with, as far as it says so: "" for anything. Both are all of it if it is one name."""
    tokens = [(token.lastgroup or "", token[0]) for token in _TOKEN.finditer(text)]
    depth = 0
    for kind, _ in tokens:
        depth += (kind == "group") - (kind == "close")
        if kind == "either" and not depth:
            return "", ""
    literals = [_literal(*token) for token in tokens]
    head = tail = ""
    if text.startswith("^"):
        follows = [kind in ("repeat", "maybe") for kind, _ in tokens[1:]] + [False]
        alone = zip(literals, follows, strict=True)
        head = "".join(itertools.takewhile(bool, ("" if repeated else each for each, repeated in list(alone)[1:])))
    if tokens[-1][1] == "$":
        tail = "".join(itertools.takewhile(bool, literals[-2::-1]))[::-1]
    return head, tail


def _literal(kind: str, text: str) -> str:
    """The one character that a token matches; "" for others."""
    if kind == "escape":
        return "" if text[1] in "dwsDWSbB" else text[1]
    return text if kind == "plain" and text not in ".^$" else ""


@functools.lru_cache(maxsize=4096)
def compile_pattern(text: str, *, ignore_case: bool = False) -> re2._Regexp:
    """For trying it here, in linear time. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    options.case_sensitive = not ignore_case
    return re2.compile(text, options)


def bounded(text: str, longest: int) -> str:
    """The pattern that nginx gets: of a text longer than `longest` it matches nothing."""
    start = "" if _measure(text)[0] else "(?s:.)*?"
    return rf"^(?=(?s:.){{0,{longest}}}\z)(?:{start}(?:{text}))"
