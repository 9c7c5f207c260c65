"""Where a container goes, and why: what a decision leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from skep.cluster import NodeSet, NodeState
from skep.errors import RequestError
from skep.scheduler.query import Scores, Verdict
from skep.scheduler.request import PlacementRequest

__all__ = ["NodeExplanation", "Placement", "PlacementError"]


@dataclass(frozen=True, slots=True)
class NodeExplanation:
    """Why one node was chosen or not. `refused_by` is the plugin that refused it ("" where none did), `reason` its words."""

    node: str
    chosen: bool = False
    refused_by: str = ""
    reason: str = ""
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """A decision. `node` is where the container goes (None where nothing fits); `relaxed`: its wishes could not be kept.

    The texts are made when they are read: do so before the cluster's state changes (before the next await).
    """

    request: PlacementRequest
    node: NodeState | None
    considered: NodeSet
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    scores: tuple[tuple[str, Scores], ...] = ()
    relaxed: bool = False

    def explain(self) -> list[NodeExplanation]:
        """Each node's fate, in the natural order of their names."""
        return [self._explain(node) for node in self.considered]

    def _explain(self, node: NodeState) -> NodeExplanation:
        for plugin, verdict in self.verdicts:
            if node not in verdict.kept:
                return NodeExplanation(node.name, refused_by=plugin, reason=verdict.reason(node))
        total: float | None = None
        for plugin, scores in self.scores:
            score = next((score for score, nodes in scores.groups if node in nodes), None)
            if score is None:
                return NodeExplanation(node.name, refused_by=plugin, reason=scores.refused(node))
            total = score + (total or 0.0)
        return NodeExplanation(node.name, chosen=node is self.node, score=total)


class PlacementError(RequestError):
    """No node fits; status 500, as a Swarm manager answers. `explanation` says why, node by node; so does the text."""

    status = 500

    def __init__(self, summary: str, explanation: list[NodeExplanation]) -> None:
        self.explanation = explanation
        super().__init__("\n".join([summary, *_lines(explanation)]))


def _lines(explanation: list[NodeExplanation]) -> Iterator[str]:
    shown = 20
    for each in explanation[:shown]:
        yield f"  {each.node}: {each.refused_by}: {each.reason}"
    if len(explanation) > shown:
        yield f"  … and {len(explanation) - shown} more nodes"
