"""Which node does what any node could do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from skep import Agent, Engine, Placement, RequestError, TemporaryError
from skep_docker_api.nodes import healthy_nodes

__all__ = ["any_engine", "choose_node", "constrained_nodes"]


def any_engine(agent: Agent) -> Engine:
    """The first node's engine that answers. Raises TemporaryError (503) naming the others' troubles where none does."""
    for node in healthy_nodes(agent):
        return agent.cluster.engine(node.name)
    told = "; ".join(f"{n.name}: {n.node.error or n.node.status}" for n in agent.cluster.state.nodes[:10])
    raise TemporaryError(f"no node of the cluster answers now: {told or 'it has none'}")


def choose_node(agent: Agent, entries: Iterable[str] = (), **host_config: Any) -> str:
    """The node that a container with these scheduling entries (`constraint:node==a`) and this `HostConfig` would get.

    Raises PlacementError where none fits, ExpressionError for a bad entry.
    """
    placement = _place(agent, entries, host_config)
    if placement.node is None:
        raise TemporaryError("no node of the cluster takes it")
    return placement.node.name


def constrained_nodes(agent: Agent, constraints: Iterable[str]) -> list[str]:
    """The nodes that answer and that a container with these constraints (`storage==ssd`) could go to; without constraints, all that answer.

    Raises PlacementError where there is none, ExpressionError for a bad constraint, RequestError where nobody reads constraints.
    """
    texts = list(constraints)
    healthy = [node.name for node in healthy_nodes(agent)]
    if not texts:
        return healthy
    if "constraint" not in agent.expression_kinds:
        raise RequestError(
            f"constraint {texts[0][:80]!r}: no plugin reads constraints here; configure plugins.constraint"
        )
    fitting = {node.name for node in _place(agent, [f"constraint:{text}" for text in texts], {}).fitting}
    return [name for name in healthy if name in fitting]


def _place(agent: Agent, entries: Iterable[str], host_config: Mapping[str, Any]) -> Placement:
    body = {"Image": "", "Env": list(entries), "HostConfig": host_config}
    return agent.place(agent.request(msgspec.json.encode(body)))
