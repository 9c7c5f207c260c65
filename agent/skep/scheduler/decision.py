"""A decision as it is kept: what each filter and strategy said of each node, as masks, with the words where somebody may read them.

Environments are secrets: of a request only its scheduling entries are kept, and what of its body filters look at.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from skep.cluster import NodeSet, NodeState
from skep.models import Container
from skep.scheduler.placement import FilterVerdict, NodeExplanation, Placement, said
from skep.scheduler.query import Scores
from skep.scheduler.request import PlacementRequest
from skep.scheduler.scoring import Ranking

__all__ = ["Answers", "Decision", "Outcome", "stripped"]

Outcome = Literal["placing", "created", "refused", "failed"]
"""What became of it: it is under way, the engine made the container, no node was found (or a rule refused), the engine failed."""

_FEW = 20  # nodes of which every reason is kept
_TOLD = 2  # of more nodes, so many that each plugin refuses: a reason may look at all containers of a node, and a replay tells all
_TOLD_REFUSED = 100  # where nothing fitted, and somebody will look
_GROUPS = 64  # of equal scores that are kept, the best first
_BODY = ("Image", "Labels", "ExposedPorts")
_HOST = (
    *("Binds", "CpuShares", "CpusetCpus", "IpcMode", "Isolation", "Links", "Memory", "MemoryReservation", "NanoCpus", "NetworkMode"),
    *("PidMode", "PortBindings", "Privileged", "PublishAllPorts", "RestartPolicy", "Runtime", "UTSMode", "VolumesFrom"),
)  # fmt: skip


def stripped(request: PlacementRequest) -> PlacementRequest:
    """The request without its environment and whatever else no filter needs, and what its body tells all the same.

    A compiled pattern takes up to a quarter of a megabyte, and a range of ports is thousands of objects: neither is for keeping.
    """
    body = {key: request.body[key] for key in _BODY if key in request.body}
    host, networking = request.body.get("HostConfig"), request.body.get("NetworkingConfig")
    if isinstance(host, dict):
        body["HostConfig"] = {key: host[key] for key in _HOST if key in host}
    if isinstance(networking, dict) and isinstance(networking.get("EndpointsConfig"), dict):
        body["NetworkingConfig"] = {"EndpointsConfig": {name: {} for name in networking["EndpointsConfig"]}}
    asked = request.container
    container = Container(asked.id, asked.name, asked.node, asked.image, state=asked.state)
    texts = {
        kind: tuple([replace(each, pattern=None) for each in found]) for kind, found in request.expressions.items()
    }
    return replace(request, container=container, expressions=texts, body=body)


@dataclass(frozen=True, slots=True)
class _Filter:
    plugin: str
    kept: int
    reasons: Mapping[str, int]

    def of(self, ordinal: int, *, asked: bool) -> FilterVerdict:
        if not asked:
            return FilterVerdict(self.plugin, "not asked")
        if self.kept >> ordinal & 1:
            return FilterVerdict(self.plugin, "passed")
        return FilterVerdict(self.plugin, "refused", _reason(self.reasons, ordinal))


@dataclass(frozen=True, slots=True)
class _Strategy:
    plugin: str
    weight: float
    groups: tuple[tuple[float, int], ...]
    rest: int  # nodes that it takes with scores that are not kept
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Answers:
    """What plugins said of the nodes `names`; bit n of a mask is the n-th of them."""

    names: tuple[str, ...] = ()
    chosen: int | None = None
    filters: tuple[_Filter, ...] = ()
    strategies: tuple[_Strategy, ...] = ()

    @classmethod
    def of(cls, placement: Placement, names: tuple[str, ...]) -> Answers:
        """Those of a placement just made; `names` are those of all nodes."""
        most = _TOLD_REFUSED if placement.node is None or len(names) <= _FEW else _TOLD
        left, filters = placement.considered, []
        for plugin, verdict in placement.verdicts:
            filters.append(_Filter(plugin, verdict.kept.mask, _told(verdict.reason, left - verdict.kept, most)))
            left = left & verdict.kept
        strategies = []
        for plugin, scores, weight in placement.scores:
            groups, rest = _cut(scores, placement.node)
            taken = NodeSet(rest | _union(groups), cast("list[NodeState]", []))
            strategies.append(_Strategy(plugin, weight, groups, rest, _told(scores.refused, left - taken, most)))
            left = left & taken
        chosen = None if placement.node is None else placement.node.ordinal
        return cls(names, chosen, tuple(filters), tuple(strategies))

    @property
    def chosen_name(self) -> str | None:
        """The name of the chosen node."""
        return None if self.chosen is None else self.names[self.chosen]

    @property
    def size(self) -> int:
        """How many bytes they take, about; the names are shared."""
        width = len(self.names) // 8 + 50
        texts = [each.reasons for each in self.filters] + [each.reasons for each in self.strategies]
        masks = sum(map(len, texts)) + len(self.filters) + sum(len(each.groups) + 1 for each in self.strategies)
        return masks * width + sum(len(text) + 60 for reasons in texts for text in reasons) + 500

    def explain(self) -> list[NodeExplanation]:
        """Each node's fate, as `Placement.explain` tells it; a reason or a score that was not kept is "" or None."""
        nodes = [_Name(ordinal, name) for ordinal, name in enumerate(self.names)]
        order = cast("list[NodeState]", nodes)
        left = (1 << len(nodes)) - 1
        for each in self.filters:
            left &= each.kept
        answers = [
            (each.plugin, Scores([(score, NodeSet(mask, order)) for score, mask in each.groups]), each.weight)
            for each in self.strategies
        ]
        ranking = Ranking(NodeSet(left, order), answers)
        return [self._explain(cast("NodeState", node), ranking) for node in nodes]

    def _explain(self, node: NodeState, ranking: Ranking) -> NodeExplanation:
        filters: list[FilterVerdict] = []
        refused: FilterVerdict | None = None
        for each in self.filters:
            verdict = each.of(node.ordinal, asked=refused is None)
            filters.append(verdict)
            refused = verdict if verdict.verdict == "refused" else refused
        told = tuple(filters)
        if refused is not None:
            return NodeExplanation(node.name, refused_by=refused.plugin, reason=refused.reason, filters=told)
        for strategy in self.strategies:
            if not (strategy.rest | _union(strategy.groups)) >> node.ordinal & 1 and strategy.weight:
                reason = _reason(strategy.reasons, node.ordinal)
                return NodeExplanation(node.name, refused_by=strategy.plugin, reason=reason, filters=told)
        chosen, marks = node.ordinal == self.chosen, tuple(ranking.marks(node))
        return NodeExplanation(node.name, chosen, score=ranking.total(node), filters=told, scores=marks)


@dataclass(frozen=True, slots=True)
class _Name:
    """As much of a node as a ranking looks at."""

    ordinal: int
    name: str


def _told(reason: Callable[[NodeState], str], refused: NodeSet, most: int) -> dict[str, int]:
    told: dict[str, int] = {}
    for node in itertools.islice(refused, most):
        text = said(reason, node)
        told[text] = told.get(text, 0) | 1 << node.ordinal
    return told


def _cut(scores: Scores, chosen: NodeState | None) -> tuple[tuple[tuple[float, int], ...], int]:
    """The best groups, that of the chosen node and the worst one, as masks; and the nodes of all others."""
    every = [(score, nodes.mask) for score, nodes in scores.groups]
    if len(every) <= _GROUPS:
        return tuple(every), 0
    kept, others = every[: _GROUPS - 2], every[_GROUPS - 2 : -1]
    own = 0 if chosen is None else 1 << chosen.ordinal
    kept += [each for each in others if each[1] & own][:1]
    rest = _union([each for each in others if not each[1] & own])
    return (*kept, every[-1]), rest & ~_union([*kept, every[-1]])


def _union(groups: Sequence[tuple[float, int]]) -> int:
    mask = 0
    for _, each in groups:
        mask |= each
    return mask


def _reason(reasons: Mapping[str, int], ordinal: int) -> str:
    return next((text for text, mask in reasons.items() if mask >> ordinal & 1), "")


@dataclass(slots=True)
class Decision:
    """One decision. `at` is when it was made (seconds since the epoch), `seconds` what making it took, `waited` what the engine took.

    `moment` is the moment of the cluster's journal that it was made at. `container` is the id of what was made, `error` why nothing was.
    """

    id: str
    at: float
    request: PlacementRequest
    client: str = ""
    moment: int = 0
    answers: Answers = Answers()
    relaxed: bool = False
    given_up: tuple[str, ...] = ()
    outcome: Outcome = "placing"
    container: str = ""
    error: str = ""
    seconds: float = 0.0
    waited: float = 0.0
    rules: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    @property
    def size(self) -> int:
        """How many bytes it takes, about."""
        return 4000 + self.answers.size + len(repr(self.request.body)) + len(self.error)

    @property
    def entries(self) -> list[str]:
        """The request's scheduling entries, as they are written in an environment."""
        return [f"{kind}:{each.text}" for kind, found in self.request.expressions.items() for each in found]

    def view(self) -> dict[str, Any]:
        """It as plain data, for JSON, without the nodes."""
        container = self.request.container
        return {
            "id": self.id,
            "at": self.at,
            "name": container.name,
            "image": container.image,
            "client": self.client,
            "entries": self.entries,
            "chosen": self.answers.chosen_name,
            "relaxed": self.relaxed,
            "given_up": list(self.given_up),
            "outcome": self.outcome,
            "container": self.container,
            "error": self.error,
            "seconds": self.seconds,
            "waited": self.waited,
        }
