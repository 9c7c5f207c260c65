"""The filter `constraint`: containers go where a node's name, id or labels allow it."""

from __future__ import annotations

from collections.abc import Mapping

from skep import EntryLabel, Expression, NodeSet, NodeState, PlacementQuery, Plugin, PluginSettings, Verdict

__all__ = ["ConstraintPlugin", "ConstraintSettings"]


class ConstraintSettings(PluginSettings, frozen=True, kw_only=True):
    """How values are read."""

    swarm_globs: bool = False
    """Read a value with classic Swarm's eyes: `*` is anything, and everything else the text of a regular expression."""


class ConstraintPlugin(Plugin):
    """Keeps the nodes that every constraint of the request accepts."""

    Settings = ConstraintSettings
    settings: ConstraintSettings
    name = "constraint"

    def expression_kinds(self) -> Mapping[str, str]:
        """`-e constraint:…`, and the label that keeps it."""
        check = Expression.as_in_swarm if self.settings.swarm_globs else None
        return {"constraint": EntryLabel("com.docker.swarm.constraints", check=check)}

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes that fit all constraints; of a refused one the first that it does not fit is told."""
        expressions = query.expressions("constraint")
        if not expressions:
            return None
        if self.settings.swarm_globs:
            expressions = [each.as_in_swarm() for each in expressions]
        kept = query.nodes
        for expression in expressions:
            kept = kept & _accepted(query, expression)

        def reason(node: NodeState) -> str:
            return next(_reason(each, node) for each in expressions if not each.accepts(_candidates(each, node)))

        return Verdict(kept, reason, lambda: [f"constraint {each}" for each in expressions])


def _accepted(query: PlacementQuery, expression: Expression) -> NodeSet:
    key = ("constraint", expression.negated, expression.value, expression.is_regex)
    if expression.key == "node":
        return query.state.with_node(lambda node: expression.accepts((node.name, node.id)), key=key)
    return query.state.with_label(expression.key, lambda value: expression.accepts((value,)), key=key)


def _candidates(expression: Expression, node: NodeState) -> tuple[str, ...]:
    if expression.key == "node":
        return (node.name, node.node.id)
    return (node.node.labels.get(expression.key, ""),)


def _reason(expression: Expression, node: NodeState) -> str:
    if expression.key == "node":
        return f"constraint {expression}: it is {node.name}"
    value = node.node.labels.get(expression.key)
    has = f"it has no label {expression.key}" if value is None else f'its label {expression.key} is "{value}"'
    return f"constraint {expression}: {has}"
