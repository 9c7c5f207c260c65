"""The strategy `random`: containers go anywhere, by a throw of the dice that can be repeated."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict

from skep import Container, NodeState, PlacementQuery, Plugin, RoomSettings, Scores

__all__ = ["RandomPlugin", "RandomSettings"]

_BITS = 64
_ALL = (1 << _BITS) - 1
_ODD = 0x9E3779B97F4A7C15  # spreads a number's bits over those above them: 2**64 over the golden ratio
_LEVELS = 32  # in which throws are told apart, for each factor of e in the number of nodes
_MOST_NAMES = 100_000


class RandomSettings(RoomSettings, frozen=True, kw_only=True):
    """The dice, and whether room matters."""

    seed: str = ""
    """Another seed gives other throws."""
    ignore_resources: bool = False
    """Whether containers go to nodes without room for what they reserve too, as in classic Swarm."""


class RandomPlugin(Plugin):
    """Throws for each node, out of the seed, the request and the node's name; the highest wins. Refuses those without room."""

    Settings = RandomSettings
    settings: RandomSettings
    name = "random"

    def __init__(self, settings: RandomSettings | None = None) -> None:
        super().__init__(settings)
        self._names: dict[str, int] = {}

    def score_nodes(self, query: PlacementQuery) -> Scores:
        """Score the nodes, each request otherwise, and the same request always alike.

        Throws are distributed exponentially and told in whole levels: of many nodes few share the highest, so that groups are few and
        the choice is fair, even among any few that another strategy leaves equal. The highest level of all is told node by node.
        """
        room = self.settings.room(query.request.container, self.agent.settings.cluster)
        nodes = query.nodes if self.settings.ignore_resources else query.nodes & room.fitting(query.state)
        key = _hash(_identity(query.request.container, self.settings.seed))
        levels: dict[int, list[tuple[int, NodeState]]] = defaultdict(list)
        for node in nodes:
            throw = self._throw(node.name, key)
            levels[int(_LEVELS * -math.log((throw + 1) / (_ALL + 2)))].append((throw, node))
        order = sorted(levels, reverse=True)
        groups = [(float(level), query.state.node_set([node for _, node in levels[level]])) for level in order]
        if groups and len(groups[0][1]) > 1:  # the less the throw, the higher its level
            best = sorted(levels[order[0]], key=lambda each: each[0])
            steps = [
                (order[0] + 1 - n / len(best), query.state.node_set((node,))) for n, (_, node) in enumerate(best, 1)
            ]
            groups = [*steps, *groups[1:]]
        return Scores(groups, room.refusal, room.wanted)

    def _throw(self, name: str, key: int) -> int:
        known = self._names.get(name)
        if known is None:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            known = self._names[name] = _hash(name)
        mixed = (known ^ key) * _ODD & _ALL
        return (mixed ^ mixed >> 32) * _ODD & _ALL


def _identity(container: Container, seed: str) -> str:
    """What tells this request from others: the id that Swarm gives each container; before it has one, its name and image."""
    return f"{seed}\n{container.swarm_id or f'{container.name} {container.image}'}"


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(errors="replace"), digest_size=_BITS // 8).digest())
