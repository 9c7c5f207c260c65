"""Placing and creating a container: the one way in which the cluster gets a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from skep.hooks import ContainerCreating
from skep.scheduler import Placement, PlacementRequest

if TYPE_CHECKING:
    from skep.agent.agent import Agent

__all__ = ["Created", "create_container"]


class _Answer(msgspec.Struct, rename="pascal"):
    id: str
    warnings: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A new container: its id, its node's name, the engine's warnings, and the decision."""

    id: str
    node: str
    warnings: tuple[str, ...]
    placement: Placement


async def create_container(
    agent: Agent, request: PlacementRequest, *, client: str = "", platform: str = "", auth: str = ""
) -> Created:
    """Ask the plugins, place, create on the engine, and wait until the cluster's state shows it.

    `client` names who asks. `platform` (`linux/arm64`) and `auth` (the value of `X-Registry-Auth`) are handed to the engine.
    """
    creating = await agent.plugins.ask("container_creating", ContainerCreating(request, client))
    request = creating.request
    with agent.scheduler.reserve(request) as placement:
        assert placement.node is not None
        node = placement.node.name
        answer = await agent.cluster.engine(node).call(
            "POST",
            "/containers/create",
            query={"name": request.container.name or None, "platform": platform or None},
            json=request.body,
            headers={"X-Registry-Auth": auth} if auth else None,
        )
        created = msgspec.json.decode(answer, type=_Answer)
        await agent.cluster.refresh_container(node, created.id)
    return Created(created.id, node, tuple(created.warnings or ()), placement)
