"""The strategy `random`: containers go anywhere, by a throw of the dice that can be repeated."""

from __future__ import annotations

import hashlib

from skep import Container, PlacementQuery, Plugin, RoomSettings, Scores

__all__ = ["RandomPlugin", "RandomSettings"]

_SIZE = 6  # bytes of a hash: they fit a float exactly


class RandomSettings(RoomSettings, frozen=True, kw_only=True):
    """The dice, and whether room matters."""

    seed: str = ""
    """Another seed gives other throws."""
    ignore_resources: bool = False
    """Whether containers go to nodes without room for what they reserve too, as in classic Swarm."""


class RandomPlugin(Plugin):
    """Scores each node by a hash of the seed, the request and the node's name. Refuses those without room."""

    Settings = RandomSettings
    settings: RandomSettings
    name = "random"

    def score_nodes(self, query: PlacementQuery) -> Scores:
        """Score the nodes from 0 to 1, each request otherwise, and the same request always alike."""
        room = self.settings.room(query.request.container, self.agent.settings.cluster)
        nodes = query.nodes
        if not self.settings.ignore_resources:
            nodes = nodes & room.fitting(query.state)
        dice = hashlib.blake2b(_identity(query.request.container, self.settings.seed), digest_size=_SIZE)
        thrown = []
        for node in nodes:
            throw = dice.copy()
            throw.update(node.name.encode())
            thrown.append((throw.digest(), node))
        thrown.sort(key=lambda each: each[0], reverse=True)
        most = float(1 << 8 * _SIZE)
        groups = [(int.from_bytes(throw) / most, query.state.node_set((node,))) for throw, node in thrown]
        return Scores(groups, room.refusal, room.wanted)


def _identity(container: Container, seed: str) -> bytes:
    """What tells this request from others: the id that Swarm gives each container; before it has one, its name and image."""
    what = container.swarm_id or f"{container.name}\n{container.image}"
    return f"{seed}\n{what}\n".encode(errors="replace")
