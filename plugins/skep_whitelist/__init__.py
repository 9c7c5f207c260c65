"""The filter `whitelist`: a container goes to one of the nodes that are named."""

from __future__ import annotations

from collections.abc import Mapping

from skep import EntryLabel, Expression, ExpressionError, NodeSet, NodeState, PlacementQuery, Plugin, Verdict

__all__ = ["WhitelistPlugin"]


class WhitelistPlugin(Plugin):
    """Keeps the nodes that every whitelist of the request names."""

    name = "whitelist"

    def expression_kinds(self) -> Mapping[str, str]:
        """`-e whitelist:node==n1|n2`, and the label that keeps it."""
        return {"whitelist": EntryLabel("com.docker.swarm.whitelists", check=_check)}

    def filter_nodes(self, query: PlacementQuery) -> Verdict | None:
        """Keep the nodes that all whitelists name."""
        expressions = query.expressions("whitelist")
        if not expressions:
            return None
        kept = query.nodes
        for expression in expressions:
            named = _named(query, expression)
            kept = kept - named if expression.negated else kept & named

        def reason(node: NodeState) -> str:
            first = next(each for each in expressions if (node.name in _names(each)) is each.negated)
            return f"whitelist {first}: it is {node.name}"

        return Verdict(kept, reason, lambda: [f"whitelist {each}" for each in expressions])


def _names(expression: Expression) -> list[str]:
    return expression.value.split("|")


def _named(query: PlacementQuery, expression: Expression) -> NodeSet:
    state = query.state
    return state.node_set(node for name in _names(expression) if (node := state.get_node(name)) is not None)


def _check(expression: Expression) -> None:
    """A whitelist has the key `node`, and names only: whoever writes another key or a pattern expects what does not happen."""
    text, value = expression.text, len(expression.text) - len(expression.value)
    if expression.key != "node":
        raise ExpressionError(text, 0, "the key node, as in node==node-1|node-2")
    if expression.is_regex or "*" in expression.value:
        at = value if expression.is_regex else text.index("*", value)
        raise ExpressionError(text, at, "names of nodes with | between them; for a pattern use a constraint")
