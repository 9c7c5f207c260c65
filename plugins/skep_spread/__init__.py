"""The strategy `spread`: containers go to the node with the most room, and then to the one with the fewest containers."""

from __future__ import annotations

from skep import Container, NodeState, PlacementQuery, Plugin, PluginSettings, Scores, with_overcommit

__all__ = ["SpreadPlugin", "SpreadSettings"]

_FULL = 100
_FAILURES = 10_000  # one recorded failure outweighs every difference of resources and of containers


class SpreadSettings(PluginSettings, frozen=True, kw_only=True):
    """How much may be reserved."""

    overcommit: float | None = None
    """How much more of a node's CPUs and memory may be reserved than it has, as a fraction; None is the cluster's own setting."""

    def __post_init__(self) -> None:
        if self.overcommit is not None and not -1 < self.overcommit <= 100:
            raise ValueError("overcommit: expected a fraction above -1, such as 0.05 for five percent")


class SpreadPlugin(Plugin):
    """Ranks nodes by what is reserved on them, then by their containers' number."""

    Settings = SpreadSettings
    settings: SpreadSettings
    name = "spread"

    def score_nodes(self, query: PlacementQuery) -> Scores:
        """Score the nodes by weight and by the number of containers, both lower is better; refuse those without room."""
        overcommit, container = self._overcommit(), query.request.container
        memory, cpus = container.memory, container.wanted_cpus
        ranks = query.state.rank_nodes(
            ("spread", memory, cpus, overcommit), lambda node: _rank(node, memory, cpus, overcommit)
        )
        # a step of weight counts more than any number of containers; without reservations their number is all there is
        step = 1e-6 if memory or cpus else 1.0
        return Scores(
            [(-(weight + count * step), nodes) for (weight, count), nodes in ranks],
            lambda node: _refusal(container, node, overcommit),
            lambda: _wanted(container),
        )

    def _overcommit(self) -> float:
        own = self.settings.overcommit
        return self.agent.settings.cluster.overcommit if own is None else own


def _rank(node: NodeState, memory: int, cpus: float, overcommit: float) -> tuple[int, int] | None:
    """Weight (CPU score and memory score, each 0 to 100, and the node's failures), then number of containers; None: no room."""
    cpu_score = _score(node.cpus_used, cpus, with_overcommit(node.node.cpus, overcommit))
    memory_score = _score(node.memory_used, memory, with_overcommit(node.node.memory, overcommit))
    if cpu_score is None or memory_score is None:
        return None
    weight = cpu_score + memory_score if memory or cpus else 0
    return weight + _FAILURES * min(node.node.failures, 3), len(node.containers)


def _score(used: float, wanted: float, total: int) -> int | None:
    if not wanted:
        return _FULL
    score = int((used + wanted) * 100 / total) if wanted <= total else _FULL + 1
    return score if score <= _FULL else None


def _wanted(container: Container) -> list[str]:
    memory, cpus = container.memory, container.wanted_cpus
    return [*([f"{_mib(memory)} of memory"] if memory else []), *([f"{cpus:g} CPUs"] if cpus else [])]


def _refusal(container: Container, node: NodeState, overcommit: float) -> str:
    memory, total = container.memory, with_overcommit(node.node.memory, overcommit)
    if _score(node.memory_used, memory, total) is None:
        free = max(0, total - node.memory_used)
        return f"not enough memory: {_mib(memory)} wanted, {_mib(free)} of {_mib(total)} free"
    cpus = with_overcommit(node.node.cpus, overcommit)
    free_cpus = max(0.0, cpus - node.cpus_used)
    text = f"not enough CPUs: {container.wanted_cpus:g} wanted, {free_cpus:g} of {cpus} free"
    hint = container.cpu_shares > cpus and not container.nano_cpus
    return f"{text} (CPU shares are whole CPUs here; --cpus takes fractions)" if hint else text


def _mib(amount: float) -> str:
    return f"{amount / 2**20:.0f} MiB"
