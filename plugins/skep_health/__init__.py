"""The filter `health`: containers go to nodes that answer."""

from __future__ import annotations

from skep import NodeState, PlacementQuery, Plugin, Verdict

__all__ = ["HealthPlugin"]


class HealthPlugin(Plugin):
    """Keeps the healthy nodes."""

    name = "health"

    def filter_nodes(self, query: PlacementQuery) -> Verdict:
        """Keep the nodes whose state is known and kept true."""
        return Verdict(query.state.healthy_nodes(), _reason)


def _reason(node: NodeState) -> str:
    because = f": {node.node.error}" if node.node.error else ""
    return f"{node.node.status}{because}"
