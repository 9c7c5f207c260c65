"""Where a container goes, and why: what a decision leaves behind."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from skep.cluster import NodeSet, NodeState
from skep.errors import RequestError
from skep.scheduler.query import Scores, Verdict, Wish
from skep.scheduler.request import PlacementRequest
from skep.scheduler.scoring import Mark, Ranking, WeightedScores

__all__ = ["FilterVerdict", "NodeExplanation", "Placement", "PlacementError", "said"]

_LONGEST = 500  # characters of a reason
_NODES_SHOWN = 20
_NODES_ASKED = 200  # whose reasons are asked for, which may mean a look at all that is on a node; others are counted by who refused them
_REASONS_SHOWN = 5
_SHORT = 200  # characters of what was wanted


@dataclass(frozen=True, slots=True)
class FilterVerdict:
    """What one filter says of one node: `verdict` is `passed`, `refused` or `not asked` (another one had refused the node before)."""

    plugin: str
    verdict: Literal["passed", "refused", "not asked"]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NodeExplanation:
    """Why one node was chosen or not. `refused_by` is the first plugin that refused it ("" where none did), `reason` its words.

    `score` is what the strategies give it together, None where it was refused; `scores` what each of them gives, `filters` what each filter
    says, in their order. All fields are plain, for JSON.
    """

    node: str
    chosen: bool = False
    refused_by: str = ""
    reason: str = ""
    score: float | None = None
    filters: tuple[FilterVerdict, ...] = ()
    scores: tuple[Mark, ...] = ()

    @property
    def text(self) -> str:
        """The reason on one line, beginning with what refused it."""
        reason = " ".join(self.reason.split())
        named = reason.startswith((self.refused_by, "-"))
        return reason if named else f"{self.refused_by}: {reason}"


@dataclass(frozen=True, slots=True)
class Placement:
    """A decision. `node` is where the container goes (None where nothing fits); `relaxed`: not all its wishes could be kept.

    `verdicts` and `scores` are the plugins' answers, by their names, the latter with the plugins' weights. `dropped` are the wishes that
    were passed over where they are given up one at a time, None where all at once. `wide` is, of each filter, its answer about all
    nodes, where that was asked for. The texts are made when they are read: do so before the cluster's state changes (before the next await).
    """

    request: PlacementRequest
    node: NodeState | None
    considered: NodeSet
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    scores: tuple[WeightedScores, ...] = ()
    relaxed: bool = False
    dropped: Set[Wish] | None = None
    wide: tuple[Verdict | None, ...] = ()

    @property
    def given_up(self) -> tuple[str, ...]:
        """The wishes that were passed over, as they were written; none unless `relaxed`."""
        if not self.relaxed:
            return ()
        every = [(kind, each) for kind, found in self.request.expressions.items() for each in found if each.soft]
        return tuple(each.text for kind, each in every if self.dropped is None or (kind, each.text) in self.dropped)

    @property
    def ranking(self) -> Ranking:
        """The nodes that all filters keep, as the strategies rank them."""
        left = self.considered
        for _, verdict in self.verdicts:
            left = left & verdict.kept
        return Ranking(left, self.scores)

    @property
    def fitting(self) -> NodeSet:
        """The nodes that nothing refuses."""
        return self.ranking.taken

    def explain(self) -> list[NodeExplanation]:
        """Each node's fate, in the natural order of their names."""
        ranking = self.ranking
        return [self._explain(node, ranking) for node in self.considered]

    def refusal(self, node: NodeState, ranking: Ranking) -> NodeExplanation:
        """Who refuses a node first, and why; of all else that `explain` tells nothing."""
        for plugin, verdict in self.verdicts:
            if node not in verdict.kept:
                return NodeExplanation(node.name, refused_by=plugin, reason=said(verdict.reason, node))
        found = ranking.refusal(node)
        if found is None:
            return NodeExplanation(node.name)
        return NodeExplanation(node.name, refused_by=found[0], reason=said(found[1].refused, node))

    def refused(self, nodes: NodeSet) -> Iterator[tuple[str, NodeSet]]:
        """Of these nodes, those that each plugin is the first to refuse."""
        left = nodes
        kept = [(plugin, verdict.kept) for plugin, verdict in self.verdicts]
        for plugin, taken in itertools.chain(kept, self.ranking.known):
            if refused := left - taken:
                yield plugin, refused
                left = left & taken

    def _explain(self, node: NodeState, ranking: Ranking) -> NodeExplanation:
        filters = tuple(self._filters(node))
        refused = next((each for each in filters if each.verdict == "refused"), None)
        if refused is not None:
            return NodeExplanation(node.name, refused_by=refused.plugin, reason=refused.reason, filters=filters)
        refusal = ranking.refusal(node)
        if refusal is not None:
            plugin, scores = refusal
            return NodeExplanation(node.name, refused_by=plugin, reason=said(scores.refused, node), filters=filters)
        chosen, total, marks = node is self.node, ranking.total(node), tuple(ranking.marks(node))
        return NodeExplanation(node.name, chosen, score=total, filters=filters, scores=marks)

    def _filters(self, node: NodeState) -> Iterator[FilterVerdict]:
        refused = False
        for (plugin, verdict), wide in itertools.zip_longest(self.verdicts, self.wide):
            answer = wide if refused else verdict
            if answer is None:
                yield FilterVerdict(plugin, "not asked")
            elif node in answer.kept:
                yield FilterVerdict(plugin, "passed")
            else:
                refused = True
                yield FilterVerdict(plugin, "refused", said(answer.reason, node))

    def summary(self) -> str:
        """What could not be satisfied, on one line; for a placement without a node."""
        if not self.considered:
            return "No nodes available in the cluster"
        if not any(node.node.is_healthy for node in self.considered):
            return "No healthy node available in the cluster"
        left, conditions = self.considered, list[str]()
        for _, verdict in self.verdicts:
            if left - verdict.kept:
                conditions += _wanted(verdict)
            left = left & verdict.kept
        if not left:
            return f"Unable to find a node that satisfies the following conditions: {_one_line(conditions)}".rstrip(
                ": "
            )
        wanted = [text for _, scores, _ in self.scores for text in _wanted(scores)]
        return f"no resources available to schedule container: {_one_line(wanted)}".rstrip(": ")


def said(reason: object, node: NodeState) -> str:
    """A plugin's words about a node that it refuses, on one line and not too long: labels and names of others may be in them."""
    try:
        return _line(reason(node), _LONGEST)  # type: ignore[operator]
    except Exception as error:  # a plugin's; it must not hide the answer itself
        return f"it could not say why ({type(error).__name__})"


def _wanted(answer: Verdict | Scores) -> list[str]:
    """A plugin's words about what was wanted of it."""
    try:
        return [_line(text, _SHORT) for text in answer.wanted()]
    except Exception:  # as above
        return []


def _line(text: object, longest: int) -> str:
    """A text without what a terminal would obey."""
    line = " ".join(str(text)[:longest].split())
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)


def _one_line(texts: Sequence[str]) -> str:
    shown = "; ".join(texts[:_NODES_SHOWN])
    return f"{shown}; … and {len(texts) - _NODES_SHOWN} more" if len(texts) > _NODES_SHOWN else shown


class PlacementError(RequestError):
    """No node fits; status 500, as a Swarm manager answers. The text says why, in steps that do not grow with the number of nodes.

    `placement` is the decision, whose texts can be read until the cluster's state changes.
    """

    status = 500

    def __init__(self, summary: str, placement: Placement) -> None:
        self.summary = summary
        self.placement = placement
        super().__init__("\n".join([summary, *_lines(placement)]))

    @cached_property
    def explanation(self) -> list[NodeExplanation]:
        """`placement.explain()`: why, node by node; made when it is read."""
        return self.placement.explain()

    def add_hint(self, text: str) -> None:
        """Add a last line to the error's text."""
        self.args = (f"{self}\n{text}",)


def _lines(placement: Placement) -> Iterator[str]:
    ranking = placement.ranking
    asked = list(itertools.islice(placement.considered, _NODES_ASKED))
    told = [placement.refusal(node, ranking) for node in asked]
    for each in told[:_NODES_SHOWN]:
        yield f"  {each.node}: {each.text}"
    more = len(placement.considered) - _NODES_SHOWN
    if more <= 0:
        return
    yield f"  … and {more} more nodes:"
    counted = Counter(each.text for each in told[_NODES_SHOWN:]).most_common()
    for text, number in counted[:_REASONS_SHOWN]:
        yield f"  {number} × {text}"
    if len(counted) > _REASONS_SHOWN:
        yield f"  {sum(number for _, number in counted[_REASONS_SHOWN:])} × other reasons"
    for plugin, nodes in placement.refused(placement.considered - placement.considered.only(asked)):
        yield f"  {len(nodes)} × {plugin}"
