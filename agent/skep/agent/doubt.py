"""When an engine's answer to a create request is lost: what became of the container."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container as Collection

import msgspec

from skep.cluster import ClusterState
from skep.engine import Engine
from skep.errors import (
    EngineError,
    EngineProtocolError,
    EngineTimeoutError,
    EngineUnreachableError,
    SkepError,
    TemporaryError,
)
from skep.models import SWARM_ID
from skep.scheduler import Reservation

__all__ = ["find_created", "leave_in_doubt", "lost"]

# All in seconds.
_LIMIT = 10.0  # for finding out, with all questions
_LIMIT_ANSWERED = 1.0  # after the connection broke: an engine that answers and lacks it by then will not have it
_QUESTION_LIMIT = 5.0  # for one question
_PAUSE = 0.1  # between questions
_LOOK_EVERY = 0.5
_LONG_HEALTHY = 30.0  # a node that was healthy for so long and shows no container has none


class _Row(msgspec.Struct, rename="pascal"):
    id: str


async def find_created(engine: Engine, node: str, swarm_id: str, before: Collection[str], failure: SkepError) -> str:
    """The id of the container that a create request made although its answer was lost by `failure`.

    `before` are the keys of the node's containers from before the request. Raises an error like `failure` that names the node and says
    what is known: not there, or not to be told.
    """
    began = time.monotonic()
    limit = _LIMIT_ANSWERED if isinstance(failure, EngineUnreachableError) else _LIMIT
    answered = False
    while True:
        try:
            query = {"all": True, "filters": {"label": [f"{SWARM_ID}={swarm_id}"]}}
            rows = await engine.get("/containers/json", list[_Row], query=query, timeout=_QUESTION_LIMIT)
            answered = True
            for row in rows:
                if row.id not in before:
                    return row.id
        except (TemporaryError, EngineError):
            pass
        if time.monotonic() - began > (limit if answered else _LIMIT):
            raise lost(node, failure, answered=answered)
        await asyncio.sleep(_PAUSE)


def lost(node: str, failure: SkepError, *, answered: bool) -> TemporaryError:
    """The error of a create request that `failure` kept without an answer. `answered`: the node was asked since, and lacks the container."""
    known = (
        "The node was asked again, and the container is not there."
        if answered
        else "Whether the container was created is not known; `docker ps -a` tells when the node answers again."
    )
    text = f"node {node}: {failure}. {known}"
    if isinstance(failure, EngineUnreachableError | EngineProtocolError):
        return EngineUnreachableError(text, sent=not answered)
    return EngineTimeoutError(text)


def leave_in_doubt(state: ClusterState, reservation: Reservation) -> None:
    """Let the container's name, ports and resources count as taken until its node tells what became of it.

    That is when the state shows it, when the node has left, or when the node was healthy for half a minute without it.
    """
    loop = asyncio.get_running_loop()
    name = reservation.node.name
    swarm_id = reservation.placement.request.container.swarm_id
    healthy_since: float | None = None

    def look() -> None:
        nonlocal healthy_since
        node, now = state.get_node(name), loop.time()
        if node is None or any(c.id and c.swarm_id == swarm_id for c in node.containers.values()):
            reservation.release()
            return
        if not node.node.is_healthy:
            healthy_since = None
        elif healthy_since is None:
            healthy_since = now
        elif now - healthy_since > _LONG_HEALTHY:
            reservation.release()
            return
        loop.call_later(_LOOK_EVERY, look)

    look()
