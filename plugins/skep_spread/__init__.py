"""The strategy `spread`: containers go to the node with the most room, and then to the one with the fewest containers."""

from __future__ import annotations

from skep import PlacementQuery, Plugin, RoomSettings, Scores

__all__ = ["SpreadPlugin", "SpreadSettings"]


class SpreadSettings(RoomSettings, frozen=True, kw_only=True):
    """How much may be reserved."""


class SpreadPlugin(Plugin):
    """Ranks nodes by what is reserved on them, then by their containers' number; fewer is better. Refuses those without room."""

    Settings = SpreadSettings
    settings: SpreadSettings
    name = "spread"

    def score_nodes(self, query: PlacementQuery) -> Scores:
        """Score the nodes, the emptiest best."""
        room = self.settings.room(query.request.container, self.agent.settings.cluster)
        return room.scores(query.state, fullest=False)
