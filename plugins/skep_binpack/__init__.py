"""The strategy `binpack`: containers go to the fullest node that has room, so that others stay free for large ones."""

from __future__ import annotations

from skep import PlacementQuery, Plugin, RoomSettings, Scores

__all__ = ["BinpackPlugin", "BinpackSettings"]


class BinpackSettings(RoomSettings, frozen=True, kw_only=True):
    """How much may be reserved."""


class BinpackPlugin(Plugin):
    """Ranks nodes by what is reserved on them, then by their containers' number; more is better. Refuses those without room."""

    Settings = BinpackSettings
    settings: BinpackSettings
    name = "binpack"

    def score_nodes(self, query: PlacementQuery) -> Scores:
        """Score the nodes, the fullest best."""
        room = self.settings.room(query.request.container, self.agent.settings.cluster)
        return room.scores(query.state, fullest=True)
