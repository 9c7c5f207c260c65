"""Asking nodes: one that must answer, or all that can."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import msgspec

from skep import Agent, Engine, EngineProtocolError, NodeState, NotFoundError, SkepError, TemporaryError

__all__ = ["ask_all", "first_answer", "healthy_engine", "healthy_nodes"]

T = TypeVar("T")
_UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, AttributeError, KeyError, RecursionError)
"""What comes of reading an answer that is not the Engine API's."""


def healthy_nodes(agent: Agent) -> list[NodeState]:
    """The nodes that answer, in the natural order of their names."""
    return [node for node in agent.cluster.state.nodes if node.node.is_healthy]


def healthy_engine(agent: Agent, node: str, what: str) -> Engine:
    """The engine of a node that answers; `what` is asked for, such as `container web`.

    Raises TemporaryError (503), naming node and reason, where it does not answer, at once.
    """
    known = agent.cluster.state.get_node(node)
    if known is None:
        raise NotFoundError(f"No such node: {node}")
    if not known.node.is_healthy:
        reason = known.node.error or "it has not been reached yet"
        raise TemporaryError(f"{what} is on node {node}, which is {known.node.status} now: {reason}")
    return agent.cluster.engine(node)


async def ask_all(
    agent: Agent,
    nodes: Iterable[NodeState],
    call: Callable[[str, Engine], Awaitable[T]],
    *,
    timeout: float | None = None,
) -> dict[str, T | SkepError]:
    """Ask nodes at the same time; each node's name with its answer or its error, in the nodes' order.

    timeout: seconds for each; one that takes longer has a TemporaryError. One whose answer `call` cannot read has an EngineProtocolError.
    """

    async def ask(node: NodeState) -> T | SkepError:
        try:
            async with asyncio.timeout(timeout):
                return await call(node.name, agent.cluster.engine(node.name))
        except SkepError as error:
            return error
        except _UNREADABLE as error:
            return EngineProtocolError(f"node {node.name}: unreadable answer: {type(error).__name__}: {error}")
        except TimeoutError:
            return TemporaryError(f"node {node.name}: no answer within {timeout:g} s")

    async with asyncio.TaskGroup() as group:
        tasks = {node.name: group.create_task(ask(node), name=f"ask {node.name}") for node in nodes}
    return {name: task.result() for name, task in tasks.items()}


async def first_answer(
    agent: Agent,
    nodes: Iterable[NodeState],
    call: Callable[[str, Engine], Awaitable[T]],
    *,
    timeout: float,
) -> tuple[str, T] | None:
    """Ask nodes at the same time; the first that answers without an error, with its answer, or None. The rest is called off."""

    async def ask(node: NodeState) -> tuple[str, T]:
        return node.name, await call(node.name, agent.cluster.engine(node.name))

    tasks = [asyncio.create_task(ask(node), name=f"ask {node.name}") for node in nodes]
    try:
        async with asyncio.timeout(timeout):
            for task in asyncio.as_completed(tasks):
                try:
                    return await task
                except SkepError:
                    continue
    except TimeoutError:
        pass
    finally:
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return None
