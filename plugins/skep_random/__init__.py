"""The strategy `random`: containers go anywhere, by a throw of the dice that can be repeated."""

from __future__ import annotations

from skep import Container, PlacementQuery, Plugin, RoomSettings, Scores
from skep_random.levels import Dice, Levels

__all__ = ["RandomPlugin", "RandomSettings"]


class RandomSettings(RoomSettings, frozen=True, kw_only=True):
    """The dice, and whether room matters."""

    seed: str = ""
    """Another seed gives other throws."""
    ignore_resources: bool = False
    """Whether containers go to nodes without room for what they reserve too, as in classic Swarm."""


class RandomPlugin(Plugin):
    """Throws for each node, out of the seed, the request and the node's name; the best wins. Refuses those without room."""

    Settings = RandomSettings
    settings: RandomSettings
    name = "random"

    def __init__(self, settings: RandomSettings | None = None) -> None:
        super().__init__(settings)
        self._dice = Dice()

    def score_nodes(self, query: PlacementQuery) -> Scores:
        """Score the nodes, each request otherwise, and the same request always alike.

        Throws are distributed exponentially and told in whole levels: of many nodes few share the highest, so that groups are few and
        the choice is fair, even among any few that another strategy leaves equal. The highest level of all is told node by node.
        """
        room = self.settings.room(query.request.container, self.agent.settings.cluster)
        nodes = query.nodes if self.settings.ignore_resources else query.nodes & room.fitting(query.state)
        identity = _identity(query.request.container, self.settings.seed)
        return Scores(Levels(query.state, nodes, self._dice, identity), room.refusal, room.wanted)


def _identity(container: Container, seed: str) -> str:
    """What tells this request from others: the id that Swarm gives each container; before it has one, its name and image."""
    return f"{seed}\n{container.swarm_id or f'{container.name} {container.image}'}"
