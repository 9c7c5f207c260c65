"""The plugin `topology`: containers of a kind are spread over zones, racks or nodes: `-e spread:zone`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from skep import EntryLabel, NodeSet, NodeState, PlacementQuery, Plugin, PluginSettings, Scores, Verdict
from skep_topology.entries import LABEL, Spread, groups_of

__all__ = ["TopologyPlugin", "TopologySettings"]

_NODE = "node"
Level = tuple[int, NodeSet]
"""The nodes of all domains that hold so many containers of the group."""


class TopologySettings(PluginSettings, frozen=True, kw_only=True):
    """Which containers are spread together."""

    group_by: tuple[str, ...] = ("com.docker.compose.project", "com.docker.compose.service")
    """Labels: containers with the same values of all of them are one group; of those that lack one, those of the same image."""


class TopologyPlugin(Plugin):
    """Keeps the nodes of those domains that a container may be added to, and prefers the domains with the fewest."""

    Settings = TopologySettings
    settings: TopologySettings
    name = "topology"

    def expression_kinds(self) -> Mapping[str, str]:
        """`-e spread:…`, and the label that keeps it; a key alone is a skew of one."""
        return {"spread": EntryLabel(LABEL, alone="1", check=Spread.read)}

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes of domains that would hold no more than the skew above the least of all domains."""
        spreads = [Spread.read(each) for each in query.expressions("spread")]
        if not spreads:
            return None
        found = [_Found(spread, self._levels(query, spread.key), query) for spread in spreads]
        kept = query.nodes
        for each in found:
            kept = kept & each.kept

        def reason(node: NodeState) -> str:
            return next(each.reason(node) for each in found if node not in each.kept)

        return Verdict(kept, reason, lambda: [f"spread {spread.text}" for spread in spreads])

    def score_nodes(self, query: PlacementQuery) -> Scores | None:
        """Prefer domains with few containers of the group, of all entries together, the wishes too."""
        keys = dict.fromkeys(each.key for each in query.request.expressions.get("spread", ()))
        if not keys:
            return None
        totals: dict[int, NodeSet] = {0: query.nodes}
        for key in keys:
            sums: dict[int, NodeSet] = {}
            for count, nodes in self._levels(query, key):
                for total, before in totals.items():
                    if both := nodes & before:
                        sums[total + count] = sums[total + count] | both if total + count in sums else both
            lacking = query.nodes - _all(sums, query)
            if lacking:  # no label: after all others
                last = max(sums, default=0) + 1
                sums[last] = lacking
            totals = sums
        return Scores([(-total, totals[total]) for total in sorted(totals)])

    def _levels(self, query: PlacementQuery, key: str) -> Sequence[Level]:
        """All nodes with the label, by how many containers of the request's group their domain holds."""
        group_by = self.settings.group_by
        counts = query.state.container_counts(("topology", group_by), lambda container: groups_of(container, group_by))
        group = next((each for each in groups_of(query.request.container, group_by) if each[0] == key), None)
        held = counts(group)
        return _by_node(query, held) if key == _NODE else _by_label(query, key, held)


def _all(sums: Mapping[int, NodeSet], query: PlacementQuery) -> NodeSet:
    found = query.state.node_set(())
    for nodes in sums.values():
        found = found | nodes
    return found


def _by_node(query: PlacementQuery, held: Mapping[NodeState, int]) -> Sequence[Level]:
    groups = defaultdict(list)
    for node, count in held.items():
        groups[count].append(node)
    rest = query.state.all_nodes() - query.state.node_set(held)
    return [(0, rest), *((count, query.state.node_set(groups[count])) for count in sorted(groups))]


def _by_label(query: PlacementQuery, key: str, held: Mapping[NodeState, int]) -> Sequence[Level]:
    counts = Counter[str]()
    for node, count in held.items():
        counts[node.node.labels.get(key, "")] += count
    levels: dict[int, NodeSet] = {}
    for value, nodes in query.state.rank_nodes(("topology", key), lambda node: node.node.labels.get(key) or None):
        count = counts[value]
        levels[count] = levels[count] | nodes if count in levels else nodes
    return sorted(levels.items(), key=lambda level: level[0])


class _Found:
    """What one entry says of the nodes.

    The least is that of the domains with a candidate: a domain whose nodes are all unhealthy, or refused by the filters before, does not
    hold the others back.
    """

    def __init__(self, spread: Spread, levels: Sequence[Level], query: PlacementQuery) -> None:
        self._spread = spread
        self._levels = levels
        candidates = query.nodes & query.state.healthy_nodes()
        self._least, self._example = 0, ""
        for count, nodes in levels:
            if found := nodes & candidates:
                self._least, self._example = count, _domain(found.first(), spread.key)
                break
        self.kept = query.state.node_set(())
        for count, nodes in levels:
            if count + 1 - self._least <= spread.skew:
                self.kept = self.kept | nodes

    def reason(self, node: NodeState) -> str:
        """Why a node is refused."""
        key, said = self._spread.key, f"spread {self._spread.text}"
        count = next((count for count, nodes in self._levels if node in nodes), None)
        if count is None:
            return f"{said}: it has no label {key}"
        differ = count + 1 - self._least
        others = f"{self._example} {self._least}"
        return f"{said}: {_domain(node, key)} holds {count} of its group already, {others}; one more would differ by {differ}"


def _domain(node: NodeState, key: str) -> str:
    return node.name if key == _NODE else f'{key} "{node.node.labels.get(key, "")}"'
