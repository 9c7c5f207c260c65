"""Having the cluster's state know of a change before the client is told that it is done."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

from skep import Agent, SkepError
from skep_docker_api.forward import OnAnswer

__all__ = ["What", "refresh_list", "when_changed"]

What = Literal["images", "networks", "volumes"]

_SECONDS = 10.0


async def refresh_list(agent: Agent, node: str, what: What) -> None:
    """Read a node's list again. What was done is done: a node that does not tell in time is left to its watcher."""
    with contextlib.suppress(SkepError, TimeoutError):
        async with asyncio.timeout(_SECONDS):
            member = agent.cluster.member(node)
            if what == "images":
                await member.refresh_images()
            elif what == "networks":
                await member.refresh_networks()
            else:
                await member.refresh_volumes()


def when_changed(agent: Agent, node: str, what: What) -> OnAnswer:
    """For `forward`: read the list again when the engine has done it."""

    async def on_end(status: int) -> None:
        if status < 300:
            await refresh_list(agent, node, what)

    return on_end
