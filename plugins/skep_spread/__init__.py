"""The strategy `spread`: containers go to the node with the most room, and then to the one with the fewest containers."""

from __future__ import annotations

from skep import NodeState, PlacementQuery, Plugin, PluginSettings, Scores

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
        percent, memory, cpus = self._percent(), query.request.container.memory, query.request.container.wanted_cpus
        ranks = query.state.rank_nodes(("spread", memory, cpus, percent), lambda n: _rank(n, memory, cpus, percent))
        # a step of weight counts more than any number of containers; without reservations their number is all there is
        step = 1e-6 if memory or cpus else 1.0
        return Scores(
            [(-(weight + count * step), nodes) for (weight, count), nodes in ranks],
            lambda node: _refusal(query, node, percent),
            lambda: _wanted(query),
        )

    def _percent(self) -> int:
        own = self.settings.overcommit
        return int((self.agent.settings.cluster.overcommit if own is None else own) * 100)


def _total(amount: int, percent: int) -> int:
    return amount + int(amount * percent / 100)


def _rank(node: NodeState, memory: int, cpus: float, percent: int) -> tuple[int, int] | None:
    """Weight (CPU score and memory score, each 0 to 100, and the node's failures), then number of containers; None: no room."""
    cpu_score = _score(node.cpus_used, cpus, _total(node.node.cpus, percent))
    memory_score = _score(node.memory_used, memory, _total(node.node.memory, percent))
    if cpu_score is None or memory_score is None:
        return None
    weight = cpu_score + memory_score if memory or cpus else 0
    return weight + _FAILURES * min(node.node.failures, 3), len(node.containers)


def _score(used: float, wanted: float, total: int) -> int | None:
    if not wanted:
        return _FULL
    score = int((used + wanted) * 100 / total) if wanted <= total else _FULL + 1
    return score if score <= _FULL else None


def _wanted(query: PlacementQuery) -> list[str]:
    memory, cpus = query.request.container.memory, query.request.container.wanted_cpus
    return [*([f"{_mib(memory)} of memory"] if memory else []), *([f"{cpus:g} CPUs"] if cpus else [])]


def _refusal(query: PlacementQuery, node: NodeState, percent: int) -> str:
    memory, total = query.request.container.memory, _total(node.node.memory, percent)
    if _score(node.memory_used, memory, total) is None:
        free = max(0, total - node.memory_used)
        return f"not enough memory: {_mib(memory)} wanted, {_mib(free)} of {_mib(total)} free"
    cpus = _total(node.node.cpus, percent)
    free_cpus = max(0.0, cpus - node.cpus_used)
    text = f"not enough CPUs: {query.request.container.wanted_cpus:g} wanted, {free_cpus:g} of {cpus} free"
    hint = query.request.container.cpu_shares > cpus and not query.request.container.nano_cpus
    return f"{text} (CPU shares are whole CPUs here; --cpus takes fractions)" if hint else text


def _mib(amount: float) -> str:
    return f"{amount / 2**20:.0f} MiB"
