"""The name that a container is getting: taken from the request on, until what became of it is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from skep import ClusterState, Container, EngineTimeoutError, EngineUnreachableError

__all__ = ["name_taken"]

_LOOK_EVERY = 0.5  # seconds
_LONG_HEALTHY = 30.0  # a node that was healthy for so long after a lost answer would show the name


@asynccontextmanager
async def name_taken(state: ClusterState, container: Container, name: str) -> AsyncIterator[Callable[[], None]]:
    """A block in which a container is renamed; it gets a function that gives the name back, for when the state shows it.

    Where the block ends without the engine's answer, the engine may still be at it: the name stays taken until the container has it or is
    gone, or its node was healthy for half a minute and shows another.
    """
    node, key = container.node, f"rename:{container.id}:{name}"
    state.reserve(replace(container, name=name, memory=0, nano_cpus=0, cpu_shares=0, ports=(), bindings=()), node, key)
    lost = False

    def release() -> None:
        state.release(node, key)

    try:
        yield release
    except EngineUnreachableError as error:
        lost = error.sent
        raise
    except (EngineTimeoutError, ConnectionError, asyncio.CancelledError):
        lost = True
        raise
    finally:
        if lost:
            _leave_in_doubt(state, container, name, key)
        else:
            release()


def _leave_in_doubt(state: ClusterState, container: Container, name: str, key: str) -> None:
    loop = asyncio.get_running_loop()
    healthy_since: float | None = None

    def look() -> None:
        nonlocal healthy_since
        node, now = state.get_node(container.node), loop.time()
        if node is None or key not in node.containers:  # it is known by now
            return
        known = node.containers.get(container.id)
        if not node.node.is_healthy:
            healthy_since = None
        elif healthy_since is None:
            healthy_since = now
        if known is None or known.name == name or (healthy_since is not None and now - healthy_since > _LONG_HEALTHY):
            state.release(container.node, key)
        else:
            loop.call_later(_LOOK_EVERY, look)

    look()
