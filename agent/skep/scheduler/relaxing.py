"""Wishes (soft expressions) given up one at a time: as few, and as cheap ones, as the cluster asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from typing import TYPE_CHECKING

from skep.scheduler.query import Wish
from skep.scheduler.request import PlacementRequest

if TYPE_CHECKING:
    from skep.scheduler.placement import Placement

__all__ = ["relax_one_by_one", "wishes_by_weight"]


def wishes_by_weight(request: PlacementRequest, weights: Mapping[str, float]) -> list[Wish]:
    """The request's wishes, the dearest first. `weights` are the kinds', 1.0 for one that is not there.

    Of equal weight, the kinds of plugins that come first in the settings are dearer, and of one kind what was written first.
    """
    wishes = [(kind, each.text) for kind, found in request.expressions.items() for each in found if each.soft]
    return sorted(dict.fromkeys(wishes), key=lambda wish: -weights.get(wish[0], 1.0))


def relax_one_by_one(wishes: Sequence[Wish], attempt: Callable[[Set[Wish]], Placement], base: Placement) -> Placement:
    """Keep every wish that can be kept beside the dearer ones; `base` is the placement without any, and has a node.

    `attempt` places with these wishes given up. Wishes narrow the choice, each by itself: so each is asked for alone, which nodes it leaves
    is known then, and one more attempt proves what was found. Where it does not (a filter that answers otherwise for other
    candidates), wishes are tried one after another. So there are at most twice as many attempts as wishes, and two.
    """
    every = frozenset(wishes)
    left, kept = base.fitting, set[Wish]()
    for wish in wishes:
        narrowed = left & attempt(every - {wish}).fitting
        if narrowed:
            left = narrowed
            kept.add(wish)
    found = attempt(every - kept) if kept else base
    return found if found.node is not None else _tried(wishes, attempt, base)


def _tried(wishes: Sequence[Wish], attempt: Callable[[Set[Wish]], Placement], base: Placement) -> Placement:
    given_up, best = frozenset(wishes), base
    for wish in wishes:
        found = attempt(given_up - {wish})
        if found.node is not None:
            given_up, best = given_up - {wish}, found
    return best
