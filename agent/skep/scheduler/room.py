"""How much of a node is reserved, and whether a request still fits: what strategies share. Source: classic Swarm's strategies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import neg
from typing import TYPE_CHECKING, Annotated, Self

from msgspec import Meta

from skep.cluster import ClusterState, NodeSet, NodeState
from skep.models import Container, with_overcommit
from skep.scheduler.query import Scores
from skep.settings import PluginSettings

if TYPE_CHECKING:
    from skep.settings.model import ClusterSettings

__all__ = ["Room", "RoomSettings"]

_FULL = 100
_NANO = 10**9
_FAILURES = 10_000  # one recorded failure outweighs every difference of resources and of containers
_MOST_FAILURES = 3
_STEP = 1e-6  # of a container's number, where there are weights: no number of containers makes up for one of weight


class RoomSettings(PluginSettings, frozen=True, kw_only=True):
    """Settings of a strategy that looks at what is reserved."""

    overcommit: Annotated[float, Meta(gt=-1, le=100)] | None = None
    """How much more of a node's CPUs and memory may be reserved than it has, as a fraction; None is the cluster's own setting."""

    def room(self, container: Container, cluster: ClusterSettings) -> Room:
        """The room that a request needs. `cluster` has the overcommit that counts where these settings have none."""
        return Room.wanted_by(container, cluster.overcommit if self.overcommit is None else self.overcommit)


@dataclass(frozen=True, slots=True)
class Room:
    """What a request reserves, held against what nodes have: `memory` in bytes, `nano_cpus` in billionths of a CPU; 0 is nothing.

    `by_shares`: the CPUs were asked for as CPU shares. `overcommit` as in `with_overcommit`.
    """

    memory: int
    nano_cpus: int
    by_shares: bool
    overcommit: float

    @classmethod
    def wanted_by(cls, container: Container, overcommit: float) -> Self:
        """What a request's container reserves."""
        cpus = round(container.wanted_cpus * _NANO)
        return cls(container.memory, cpus, not container.nano_cpus, overcommit)

    def weight(self, node: NodeState) -> int | None:
        """How full the node would be, 0 to 200: CPUs and memory in percent, cut off to whole numbers; None: it has no room.

        Of CPUs or memory, what is not wanted counts as 100.
        """
        has = node.node
        cpus = _percent(node.nano_cpus_used, self.nano_cpus, _NANO * with_overcommit(has.cpus, self.overcommit))
        used = _percent(node.memory_used, self.memory, with_overcommit(has.memory, self.overcommit))
        return None if cpus > _FULL or used > _FULL else cpus + used

    def scores(self, state: ClusterState, *, fullest: bool) -> Scores:
        """All nodes with room, by weight and then by their number of containers: the fullest first, or else the emptiest.

        Nodes with recorded failures come last. A score is the weight, negative where the emptiest is wanted, and a millionth for each
        container; for a request that reserves nothing, it is the number of containers.
        """
        # of requests that reserve nothing, one index is enough
        key = ("room", self.memory, self.nano_cpus, self.overcommit, fullest) if self._weighs else ("room", fullest)
        ranks = state.rank_nodes(key, self._rank_of(1 if fullest else -1))
        return Scores(ranks.scored(neg), self.refusal, self.wanted)

    def _rank_of(self, sign: int) -> Callable[[NodeState], float | None]:
        """The rank of a node, smallest first; None where it has no room. What a node has with overcommit is counted once for each kind."""
        if not self._weighs:
            return lambda node: _after_failures(-sign * float(len(node.containers)), node.node.failures)
        memory, nano_cpus, overcommit, full, step = self.memory, self.nano_cpus, self.overcommit, _FULL, _STEP
        totals: dict[tuple[int, int], tuple[int, int]] = {}

        def rank(node: NodeState) -> float | None:
            has = node.node
            total = totals.get((has.cpus, has.memory))
            if total is None:
                total = _NANO * with_overcommit(has.cpus, overcommit), with_overcommit(has.memory, overcommit)
                totals[has.cpus, has.memory] = total
            if nano_cpus > total[0] or memory > total[1]:
                return None
            cpus = used = full  # below as in `weight`, without the calls: this is much of what a decision costs
            if nano_cpus > 0:
                cpus = (node.nano_cpus_used + nano_cpus) * 100 // total[0]
            if memory > 0:
                used = (node.memory_used + memory) * 100 // total[1]
            if cpus > full or used > full:
                return None
            found = -sign * (cpus + used + step * len(node.containers))
            return _after_failures(found, has.failures) if has.failures else found

        return rank

    def fitting(self, state: ClusterState) -> NodeSet:
        """The nodes with room."""
        if not self._weighs:
            return state.all_nodes()
        key = ("room", self.memory, self.nano_cpus, self.overcommit)
        ranks = state.rank_nodes(key, lambda node: 0 if self.weight(node) is not None else None)
        return ranks[0][1] if ranks else state.node_set(())

    @property
    def _weighs(self) -> bool:
        return self.memory > 0 or self.nano_cpus > 0

    def wanted(self) -> list[str]:
        """What the request reserves, in words."""
        cpus = self.nano_cpus / _NANO
        return [
            *([f"{_mib(self.memory)} of memory"] if self.memory > 0 else []),
            *([f"{cpus:g} CPUs"] if cpus > 0 else []),
        ]

    def refusal(self, node: NodeState) -> str:
        """What a node without room lacks."""
        total = with_overcommit(node.node.memory, self.overcommit)
        if _percent(node.memory_used, self.memory, total) > _FULL:
            free = max(0, total - node.memory_used)
            return f"not enough memory: {_mib(self.memory)} wanted, {_mib(free)} of {_mib(total)} free"
        wanted, cpus = self.nano_cpus / _NANO, with_overcommit(node.node.cpus, self.overcommit)
        text = f"not enough CPUs: {wanted:g} wanted, {max(0.0, cpus - node.cpus_used):g} of {cpus} free"
        hint = self.by_shares and wanted > cpus
        return f"{text} (CPU shares are whole CPUs here; --cpus takes fractions)" if hint else text


def _after_failures(rank: float, failures: int) -> float:
    return rank + _FAILURES * min(failures, _MOST_FAILURES)


def _percent(used: int, wanted: int, total: int) -> int:
    if wanted <= 0:
        return _FULL
    return (used + wanted) * 100 // total if wanted <= total else _FULL + 1


def _mib(amount: float) -> str:
    return f"{amount / 2**20:.0f} MiB"
