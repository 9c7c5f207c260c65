"""Where a container goes, and why: what a decision leaves behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skep.cluster import NodeSet, NodeState
from skep.errors import RequestError
from skep.scheduler.query import Scores, Verdict
from skep.scheduler.request import PlacementRequest

__all__ = ["NodeExplanation", "Placement", "PlacementError"]

_NODES_SHOWN = 20
_REASONS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class NodeExplanation:
    """Why one node was chosen or not. `refused_by` is the plugin that refused it ("" where none did), `reason` its words.

    `score` is what the strategies give it together, None where it was refused. All fields are plain, for JSON.
    """

    node: str
    chosen: bool = False
    refused_by: str = ""
    reason: str = ""
    score: float | None = None

    @property
    def text(self) -> str:
        """The reason on one line, beginning with what refused it."""
        reason = " ".join(self.reason.split())
        named = reason.startswith((self.refused_by, "-"))
        return reason if named else f"{self.refused_by}: {reason}"


@dataclass(frozen=True, slots=True)
class Placement:
    """A decision. `node` is where the container goes (None where nothing fits); `relaxed`: its wishes could not be kept.

    `verdicts` and `scores` are the plugins' answers, by their names, the latter with the plugins' weights.
    The texts are made when they are read: do so before the cluster's state changes (before the next await).
    """

    request: PlacementRequest
    node: NodeState | None
    considered: NodeSet
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    scores: tuple[tuple[str, Scores, float], ...] = ()
    relaxed: bool = False

    @property
    def given_up(self) -> tuple[str, ...]:
        """The wishes that were passed over, as they were written; none unless `relaxed`."""
        return tuple(wish.text for wish in self.request.wishes) if self.relaxed else ()

    def explain(self) -> list[NodeExplanation]:
        """Each node's fate, in the natural order of their names."""
        return [self._explain(node) for node in self.considered]

    def _explain(self, node: NodeState) -> NodeExplanation:
        for plugin, verdict in self.verdicts:
            if node not in verdict.kept:
                return NodeExplanation(node.name, refused_by=plugin, reason=_said(verdict.reason, node))
        total: float | None = None
        for plugin, scores, weight in self.scores:
            score = next((score for score, nodes in scores.groups if node in nodes), None)
            if score is None:
                return NodeExplanation(node.name, refused_by=plugin, reason=_said(scores.refused, node))
            total = weight * score + (total or 0.0)
        return NodeExplanation(node.name, chosen=node is self.node, score=total)

    def summary(self) -> str:
        """What could not be satisfied, on one line; for a placement without a node."""
        if not self.considered:
            return "No nodes available in the cluster"
        if not any(node.node.is_healthy for node in self.considered):
            return "No healthy node available in the cluster"
        left, conditions = self.considered, list[str]()
        for _, verdict in self.verdicts:
            if left - verdict.kept:
                conditions += verdict.wanted()
            left = left & verdict.kept
        if not left:
            return f"Unable to find a node that satisfies the following conditions: {_one_line(conditions)}".rstrip(
                ": "
            )
        wanted = [text for _, scores, _ in self.scores for text in scores.wanted()]
        return f"no resources available to schedule container: {_one_line(wanted)}".rstrip(": ")


def _said(reason: object, node: NodeState) -> str:
    try:
        return str(reason(node))  # type: ignore[operator]
    except Exception as error:  # a plugin's; it must not hide the answer itself
        return f"it could not say why ({type(error).__name__})"


def _one_line(texts: Sequence[str]) -> str:
    shown = "; ".join(" ".join(str(text).split())[:200] for text in texts[:_NODES_SHOWN])
    return f"{shown}; … and {len(texts) - _NODES_SHOWN} more" if len(texts) > _NODES_SHOWN else shown


class PlacementError(RequestError):
    """No node fits; status 500, as a Swarm manager answers. `explanation` says why, node by node; so does the text."""

    status = 500

    def __init__(self, summary: str, explanation: list[NodeExplanation]) -> None:
        self.summary = summary
        self.explanation = explanation
        super().__init__("\n".join([summary, *_lines(explanation)]))


def _lines(explanation: list[NodeExplanation]) -> Iterator[str]:
    for each in explanation[:_NODES_SHOWN]:
        yield f"  {each.node}: {each.text}"
    rest = explanation[_NODES_SHOWN:]
    if rest:
        yield f"  … and {len(rest)} more nodes:"
        counted = Counter(each.text for each in rest).most_common()
        for text, number in counted[:_REASONS_SHOWN]:
            yield f"  {number} × {text}"
        if len(counted) > _REASONS_SHOWN:
            yield f"  {sum(number for _, number in counted[_REASONS_SHOWN:])} × other reasons"
