r"""Regular expressions of containers, which nginx matches by PCRE: only a subset whose cost is bounded.

PCRE tries one way after the other, so `(a+)+$` takes time that doubles with each letter of a request. What may be repeated here is a
single character or class, never a group; the number of repetitions is limited; and so is, by `bounded`, the text that is looked
at. A pattern of `n` repetitions then takes at most about length ** n steps. References, look-around, and names for groups (which
would be variables of nginx) are refused, and so is what RE2 does not read.
"""

from __future__ import annotations

import re

import re2

from skep_nginx.values import short

__all__ = ["bounded", "check_pattern", "compile_pattern"]

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
_REPEATABLE = ("escape", "class", "plain")


def check_pattern(text: str, *, repeats: int) -> None:
    """Raise ValueError unless nginx can match it in bounded time; `repeats`: how many `*`, `+`, `{n,m}` it may have.

    One that does not begin with `^` is tried at each place of the text, and so may have one less.
    """
    if not text:
        raise ValueError("expected a regular expression after ~")
    if len(text) > _LONGEST:
        raise ValueError(f"a regular expression has at most {_LONGEST} characters, this one {len(text)}")
    count, anchored = _measure(text)
    limit = repeats if anchored else repeats - 1
    if count > limit:
        raise ValueError(
            f"its time would not be bounded: it repeats {count} times (*, +, {{n,m}}), at most {limit} are taken"
        )
    try:
        compile_pattern(text)
    except re2.error as error:
        raise ValueError(f"it is no regular expression: {str(error)[:60]!a}") from None


def _measure(text: str) -> tuple[int, bool]:
    """How many repetitions it has, and whether it can match at the beginning only."""
    position, before, depth, repeats, choices = 0, "", 0, 0, 0
    anchored = text.startswith("^")
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"{short(text[position : position + 10])} is not taken in a regular expression here")
        kind = token.lastgroup or ""
        if kind == "repeat" and before not in _REPEATABLE:
            raise ValueError(
                "what is repeated must be one character or class, not a group: its time would not be bounded"
            )
        depth += (kind == "group") - (kind == "close")
        repeats += kind == "repeat" and not _EXACT.fullmatch(token[0])
        choices += kind in ("maybe", "either")
        anchored &= kind != "either" or depth > 0
        position, before = token.end(), kind
    if depth:
        raise ValueError("its parentheses do not match")
    if choices > 16:
        raise ValueError("it has more than 16 alternatives (| and ?)")
    return repeats, anchored


def compile_pattern(text: str, *, ignore_case: bool = False) -> re2._Regexp:
    """For trying it here, in linear time. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    options.case_sensitive = not ignore_case
    return re2.compile(text, options)


def bounded(text: str, longest: int) -> str:
    """The pattern that nginx gets: of a text longer than `longest` it matches nothing."""
    start = "" if _measure(text)[1] else ".*?"
    return rf"^(?=.{{0,{longest}}}\z)(?:{start}(?:{text}))"
