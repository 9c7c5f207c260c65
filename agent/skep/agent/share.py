"""Having a node get an image that it lacks: from a registry, or from another node of the cluster, as a stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from skep.agent.pull import holds_image, pull_image, read_report
from skep.engine import Engine
from skep.engine.failures import MAX_ERROR_BODY, engine_error
from skep.errors import EngineTimeoutError, SkepError

if TYPE_CHECKING:
    from skep.agent.agent import Agent
    from skep.cluster import ClusterState, NodeState

__all__ = ["copy_image", "holders", "is_made_here", "provide_image"]

_log = logging.getLogger("skep.images")
_IDLE = 300.0  # seconds in which nothing moves
_TAR = {"Content-Type": "application/x-tar"}


def holders(state: ClusterState, reference: str) -> list[NodeState]:
    """The nodes that answer and have an image that a create request would find by `reference`."""
    found = state.with_image(lambda each: holds_image(each, reference))
    return [node for node in found if node.node.is_healthy]


def is_made_here(state: ClusterState, reference: str) -> bool:
    """Whether nodes have such an image that never was in a registry, as builds, commits and loads leave it.

    What a registry has by its name is something else, and may be somebody else's.
    """
    found = [image for node in holders(state, reference) for image in node.images if holds_image(image, reference)]
    return bool(found) and not any(image.digests for image in found)


async def provide_image(agent: Agent, reference: str, node: str, *, platform: str = "", auth: str = "") -> None:
    """Have a node get an image: pulled, or with the setting `cluster.share_images` copied from a node that has it.

    One that was made in the cluster is copied at once, others where the registry fails. Raises EngineError, EngineTimeoutError and what else
    speaking to engines raises.
    """
    target, state = agent.cluster.engine(node), agent.cluster.state
    sources = holders(state, reference) if agent.settings.cluster.share_images else []
    if not (sources and is_made_here(state, reference)):
        try:
            await pull_image(target, reference, platform=platform, auth=auth)
        except SkepError as error:
            if not sources:
                raise
            _log.info("node %s cannot pull image %s: %s", node, reference, error)
        else:
            return
    source = sources[0].name
    _log.info("image %s is copied from node %s to node %s", reference, source, node)
    await copy_image(agent.cluster.engine(source), target, reference)


async def copy_image(source: Engine, target: Engine, reference: str) -> None:
    """Save an image at one engine and load it at another, as a stream.

    Raises EngineError with the words of the one that refuses, EngineTimeoutError where nothing moves for five minutes.
    """
    path = f"/images/{quote(reference, safe='/:@')}/get"
    try:
        async with asyncio.timeout(_IDLE) as idle, source.stream("GET", path) as saved:
            if saved.status >= 300:
                raise engine_error(saved.status, await saved.content.read(MAX_ERROR_BODY))
            moving = _while_moving(saved.content.iter_any(), idle)
            async with target.stream(
                "POST", "/images/load", query={"quiet": True}, headers=_TAR, data=moving
            ) as loaded:
                await read_report(loaded)
    except TimeoutError:
        raise EngineTimeoutError(f"image {reference}: nothing moved for {_IDLE:.0f} seconds") from None


async def _while_moving(chunks: AsyncIterator[bytes], idle: asyncio.Timeout) -> AsyncIterator[bytes]:
    """Put the deadline off with each chunk; the last one gives the engine as long to make an image of it."""
    loop = asyncio.get_running_loop()
    async for chunk in chunks:
        idle.reschedule(loop.time() + _IDLE)
        yield chunk
