"""Decisions as files, and made once more from them: the same request, rules and cluster must give the same answer."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from skep.cluster import PastNode
from skep.errors import RequestError
from skep.plugins.finding import installed
from skep.scheduler import (
    Mark,
    NodeExplanation,
    Placement,
    PlacementError,
    PlacementQuery,
    PlacementRequest,
    Rule,
    Scheduler,
    Scores,
    Verdict,
)
from skep.scheduler.decision import Decision
from skep.scheduler.snapshot import Answer, PlacedRequest, RuleSettings, Snapshot, snapshot_nodes
from skep.settings import parse_settings

if TYPE_CHECKING:
    from skep.agent.agent import Agent

__all__ = ["Replayed", "record", "replay"]

_SECRET = re.compile(r"passw|secret|token|credential|private|auth|(api|access|encryption|signing)_?key", re.IGNORECASE)


def record(agent: Agent, decision: Decision, nodes: Sequence[PastNode]) -> bytes:
    """A decision as a file. From any thread: what it is made of does not change."""
    kept, images = snapshot_nodes(nodes)
    request = decision.request
    rules = RuleSettings(list(decision.rules[0]), list(decision.rules[1]), _settings(agent, decision))
    placed = PlacedRequest(
        request.container.name, dict(request.body), {k: str(v) for k, v in agent.expression_kinds.items()}
    )
    return msgspec.json.encode(Snapshot(decision.view(), placed, rules, Answer.of(decision), kept, images))


def _settings(agent: Agent, decision: Decision) -> dict[str, Any]:
    """What the settings say of the plugins that were asked, without secrets."""
    asked = {*decision.rules[0], *decision.rules[1]}
    asked |= {name for name, _ in agent.plugins.implementing("expression_kinds")}
    tables = {
        name: {"weight": table.weight} | _without_secrets(table.own)
        for name, table in agent.settings.plugins.items()
        if name in asked
    }
    return {
        "cluster": {"overcommit": agent.settings.cluster.overcommit},
        "placement": {"relax": agent.settings.placement.relax},
        "plugins": tables,
    }


def _without_secrets(table: Any) -> Any:
    """A table, with those inside it, without what its keys call a secret."""
    if isinstance(table, Mapping):
        return {key: _without_secrets(value) for key, value in table.items() if not _SECRET.search(str(key))}
    return [_without_secrets(each) for each in table] if isinstance(table, list | tuple) else table


class Replayed:
    """What came of making a recorded decision once more.

    `recorded` and `again` are the two answers, `taken` the plugins whose recorded answers were taken, with why.
    """

    def __init__(self, recorded: Answer, again: Answer, taken: Mapping[str, str]) -> None:
        self.recorded = recorded
        self.again = again
        self.taken = taken

    @property
    def differences(self) -> list[str]:
        """Where they differ, each in a line; none where they are the same. What was not recorded is not compared."""
        return list(self._differences())

    def _differences(self) -> Iterator[str]:
        then, now = self.recorded, self.again
        for name, before, after in (
            ("chosen", then.chosen or "no node", now.chosen or "no node"),
            ("relaxed", _yes(then.relaxed), _yes(now.relaxed)),
            ("given up", _listed(then.given_up), _listed(now.given_up)),
        ):
            if before != after:
                yield f"{name}: {before} then, {after} now"
        nodes = {row.node: row for row in now.nodes}
        for row in then.nodes:
            for what, before, after in _compared(row, nodes.get(row.node)):
                yield f"node {row.node}: {what}: {before} then, {after} now"


def _compared(then: NodeExplanation, now: NodeExplanation | None) -> Iterator[tuple[str, str, str]]:
    if now is None:
        yield "looked at", "yes", "no"
        return
    if then.refused_by != now.refused_by:
        yield "refused by", then.refused_by or "nobody", now.refused_by or "nobody"
    if then.reason and then.reason != now.reason[: len(then.reason)]:
        yield "reason", then.reason, now.reason or "none"
    if then.score is not None and then.score != now.score:
        yield "score", _number(then.score), "none" if now.score is None else _number(now.score)
    before, after = ({each.plugin: each.verdict for each in row.filters} for row in (then, now))
    yield from _otherwise("filter ", before, after)
    if [*before] != [*after] and before == after:
        yield "order of filters", _listed(before), _listed(after)
    if then.score is not None:
        given, given_now = ({each.strategy: _mark(each) for each in row.scores} for row in (then, now))
        yield from _otherwise("", given, given_now)


def _otherwise(kind: str, then: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """What plugins said otherwise."""
    for plugin in dict.fromkeys((*then, *now)):
        if then.get(plugin) != now.get(plugin):
            yield f"{kind}{plugin}", then.get(plugin, "none"), now.get(plugin, "none")


def _mark(mark: Mark) -> str:
    return f"{_number(mark.score)} ({_number(mark.points)} points, weight {_number(mark.weight)})"


def _number(value: float) -> str:
    """In full, so that two that differ look different; zero without a sign."""
    value = float(value)  # a plugin may have answered with an int
    return str(int(value)) if value.is_integer() else repr(value)


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


def replay(data: bytes) -> Replayed:
    """Make a recorded decision once more, with the plugins that are installed here; nothing is started, no engine asked.

    Of a plugin that is not here, or that says of itself that it depends on more (`Plugin.replayable`), the recorded answers are taken.
    Raises RequestError for what is no record, SettingsError for recorded settings that this version does not take.
    """
    snapshot = Snapshot.read(data)
    agent, taken = _agent(snapshot)
    live = {hook: dict(agent.plugins.implementing(hook)) for hook in ("filter_nodes", "score_nodes")}
    weights = {name: table.weight for name, table in agent.settings.plugins.items()}
    told = _Told(snapshot.answer)

    def rules(hook: str, names: Sequence[str], recorded: Callable[[str], Callable[..., Any]]) -> list[Rule]:
        found = []
        for name in names:
            function = None if name in taken else live[hook].get(name)
            if function is None and name not in taken:
                taken[name] = "it is a rule of that request alone" if name == "create" else "it is not here"
            found.append(
                Rule(
                    name, recorded(name) if function is None else _call(function), weights.get(name, told.weight(name))
                )
            )
        return found

    scheduler = Scheduler(
        snapshot.state(),
        rules("filter_nodes", snapshot.rules.filters, told.filter),
        rules("score_nodes", snapshot.rules.strategies, told.strategy),
        relax=agent.settings.placement.relax,
        weights=agent.scheduler.weights,
    )
    kinds = {**snapshot.request.kinds, **agent.expression_kinds}
    body = msgspec.json.encode(snapshot.request.body)
    request = PlacementRequest.from_create(body, snapshot.request.name, kinds=kinds)
    return Replayed(snapshot.answer, _answer(scheduler, request), taken)


def _answer(scheduler: Scheduler, request: PlacementRequest) -> Answer:
    placement: Placement | None = None
    try:
        placement = scheduler.place(request)
    except PlacementError as error:
        placement = error.placement
    except RequestError:  # a name that was taken, say: no node was looked at
        pass
    if placement is None:
        return Answer(None, relaxed=False, given_up=[], nodes=[])
    chosen = None if placement.node is None else placement.node.name
    return Answer(chosen, placement.relaxed, list(placement.given_up), placement.explain())


def _agent(snapshot: Snapshot) -> tuple[Agent, dict[str, str]]:
    """An agent that is never started, for its plugins; and those that it lacks, with why."""
    from skep.agent.agent import Agent

    recorded, here = snapshot.rules.settings, installed()
    settings: dict[str, Any] = {name: recorded[name] for name in ("cluster", "placement") if name in recorded}
    tables = recorded.get("plugins")
    tables = tables if isinstance(tables, dict) else {}
    known = {name: table for name, table in tables.items() if name in here}
    named = {*tables, *snapshot.rules.filters, *snapshot.rules.strategies} - {"create"}
    taken = {name: "it is not installed here" for name in sorted(named) if name not in known}
    tables = {name: _harmless(table) for name, table in known.items() if isinstance(table, dict)}
    agent = Agent(parse_settings({**settings, "plugins": tables}, source="the recorded settings"))
    for name, plugin in agent.plugins.plugins.items():
        if not getattr(plugin, "replayable", True):
            taken[name] = "it depends on more than the cluster's state"
    return agent, taken


def _harmless(table: Mapping[str, Any]) -> dict[str, Any]:
    """A plugin's recorded table without the file that its code would be taken from: who sends a record must not bring code along."""
    return {**{key: value for key, value in table.items() if key != "path"}, "startup_error": "ignore"}


def _call(function: Callable[..., Any]) -> Callable[[PlacementQuery], Any]:
    takes = len(inspect.signature(function).parameters)
    return lambda query: function(*(query,)[:takes])


class _Told:
    """Plugins' recorded answers, as rules."""

    def __init__(self, answer: Answer) -> None:
        self._rows = {row.node: row for row in answer.nodes}

    def weight(self, plugin: str) -> float:
        """The recorded weight of a strategy."""
        marks = (mark for row in self._rows.values() for mark in row.scores)
        return next((mark.weight for mark in marks if mark.strategy == plugin), 1.0)

    def filter(self, plugin: str) -> Callable[[PlacementQuery], Verdict | None]:
        """What a filter said; nothing where it had no opinion."""
        verdicts = {name: each for name, row in self._rows.items() for each in row.filters if each.plugin == plugin}

        def filter_nodes(query: PlacementQuery) -> Verdict | None:
            if not verdicts:
                return None
            kept = query.nodes.where(lambda node: node.name in verdicts and verdicts[node.name].verdict == "passed")
            return Verdict(kept, lambda node: verdicts[node.name].reason if node.name in verdicts else "not recorded")

        return filter_nodes

    def strategy(self, plugin: str) -> Callable[[PlacementQuery], Scores | None]:
        """What a strategy gave; nothing where it had no opinion."""
        given = {name: mark.score for name, row in self._rows.items() for mark in row.scores if mark.strategy == plugin}

        def score_nodes(query: PlacementQuery) -> Scores | None:
            if not given:
                return None
            groups = [
                (score, query.nodes.where(lambda node, score=score: given.get(node.name) == score))  # type: ignore[misc]
                for score in sorted(set(given.values()), reverse=True)
            ]
            return Scores(
                groups, lambda node: self._rows[node.name].reason if node.name in self._rows else "not recorded"
            )

        return score_nodes
