"""Which node does what any node could do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from skep import Agent, Engine, TemporaryError
from skep_docker_api.nodes import healthy_nodes

__all__ = ["any_engine", "choose_node"]


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
    body: Mapping[str, Any] = {"Image": "", "Env": list(entries), "HostConfig": host_config}
    placement = agent.place(agent.request(msgspec.json.encode(body)))
    if placement.node is None:
        raise TemporaryError("no node of the cluster takes it")
    return placement.node.name
