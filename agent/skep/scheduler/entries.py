"""Scheduling entries: `-e constraint:…` in the environment, and the labels that keep them.

Source: classic Swarm. A label holds a JSON list of texts; those of the environment are added to it, after its own, and leave the
environment. What is kept so outlives the manager, and is read by Swarm's own tools as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from skep.errors import RequestError
from skep.expressions import Expression, parse_expression

__all__ = ["RESCHEDULE", "Entries", "Entry", "EntryLabel", "check_policies", "take_out"]

RESCHEDULE = "reschedule"
"""The kind of entry that says what becomes of a container when its node fails: `off` or `on-node-failure`."""

_POLICIES = ("off", "on-node-failure")
_CORE = {RESCHEDULE: "com.docker.swarm.reschedule-policies"}
_KNOWN = {
    "affinity": "affinity",
    "constraint": "constraint",
    "from": "envfile",
    "spread": "topology",
    "whitelist": "whitelist",
}
"""Kinds that people know, whether or not the plugin is there that reads them: its name."""
_ALONE = "spread"  # the one whose entries need no operator
_LONGEST_KIND = 20
_MOST_SUSPECTS = 5


class EntryLabel(str):
    """The label that keeps a kind of entries, of a kind that is special.

    `alone`: the value of an entry that is a key alone; "" allows none. `check` is called with each entry that is read, and raises
    ExpressionError for what the kind does not take; the request is refused then, naming the entry.
    """

    __slots__ = ("alone", "check")
    alone: str
    check: Callable[[Expression], object] | None

    def __new__(cls, label: str, *, alone: str = "", check: Callable[[Expression], object] | None = None) -> EntryLabel:
        """`label` is the label's name."""
        made = super().__new__(cls, label)
        made.alone = alone
        made.check = check
        return made

    def read(self, text: str) -> Expression:
        """Parse an entry of this kind. Raises ExpressionError."""
        expression = parse_expression(text, self.alone)
        if self.check is not None:
            self.check(expression)
        return expression


class Entry(NamedTuple):
    """One entry's text without its kind, and where it stands (`environment entry 2`, counted from 1)."""

    text: str
    where: str


@dataclass(frozen=True, slots=True)
class Entries:
    """What `take_out` found: the entries by kind, and environment and labels as an engine gets them.

    `doubts` are things in the environment that look like an entry and are none, each with a hint, for the client.
    """

    env: list[str]
    labels: dict[str, str]
    by_kind: dict[str, list[Entry]] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()


def take_out(env: Iterable[str], labels: Mapping[str, str], kinds: Mapping[str, str]) -> Entries:
    """Take the entries of the `kinds` (and `reschedule`) out of environment and labels; `kinds` maps each to the label that keeps it.

    Raises RequestError (400) for a label that is not a JSON list of texts.
    """
    kinds = {**_CORE, **{kind: str(label) for kind, label in kinds.items()}}
    rest: list[str] = []
    suspects: list[tuple[int, str]] = []
    found: dict[str, list[Entry]] = {}
    for number, entry in enumerate(env, 1):
        kind, colon, text = entry.partition(":")
        if colon and kind in kinds:
            found.setdefault(kind, []).append(Entry(text, f"environment entry {number}"))
        else:
            rest.append(entry)
            if colon and (kind == _ALONE or "==" in text or "!=" in text) and len(suspects) < _MOST_SUSPECTS:
                suspects.append((number, kind))
    kept = dict(labels)
    for kind, label in kinds.items():
        found[kind] = [*_of_label(labels.get(label, ""), label), *found.get(kind, ())]
        if found[kind]:
            kept[label] = msgspec.json.encode([entry.text for entry in found[kind]]).decode()
    doubts = [hint for number, kind in suspects if (hint := _doubt(kind, number, kinds))]
    return Entries(rest, kept, {kind: entries for kind, entries in found.items() if entries}, tuple(doubts))


def _of_label(text: str, label: str) -> Iterator[Entry]:
    if not text:
        return
    try:
        entries = msgspec.json.decode(text, type=list[str])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RequestError(
            f'label {label}: expected a JSON list of texts, such as ["node==node-1"], got {text[:80]!r} ({error})'
        ) from None
    for number, entry in enumerate(entries, 1):
        yield Entry(entry, f"label {label}, entry {number}")


def _doubt(kind: str, number: int, kinds: Mapping[str, str]) -> str:
    """A hint where somebody may have meant an entry: `contraint:node==a`, or one whose plugin is not there; else ""."""
    if len(kind) > _LONGEST_KIND or "=" in kind or not kind.isprintable():
        return ""
    said = f"environment entry {number} ({kind}:…) is handed to the container as it is"
    if kind in _KNOWN:
        return f"{said}: the plugin that reads such entries, {_KNOWN[kind]}, is not configured"
    from difflib import get_close_matches  # for mistakes only

    near = get_close_matches(kind.strip().lower(), [*kinds, *_KNOWN], 1, 0.75)
    return f"{said}; did you mean {near[0]}:…?" if near else ""


def check_policies(entries: list[Entry]) -> None:
    """Raises RequestError (400) unless there is at most one reschedule policy, and it is one that exists."""
    if len(entries) > 1:
        told = ", ".join(f"{text[:80]!r} ({where})" for text, where in entries[:5])
        raise RequestError(f"too many reschedule policies: {told}: expected one")
    for text, where in entries:
        if text not in _POLICIES:
            raise RequestError(f"invalid reschedule policy: {text[:80]!r} ({where}): expected {' or '.join(_POLICIES)}")
