"""Which containers a file's actions are for, and what is done to those that stay."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from skep import ContainerState, ContainerStopping, EngineError, SkepError, TemporaryError
from skep_envfile.actions.settings import is_labelled

if TYPE_CHECKING:
    from skep import Agent, Container, Engine

__all__ = [
    "CLIENT",
    "chosen",
    "engine_of",
    "is_labelled_by_image",
    "known_again",
    "may_stop",
    "restart",
    "runs",
    "send_signal",
]

CLIENT = "plugin envfile"
"""Who asks, for other plugins and in decisions."""

_GONE = (404, 409)  # there is no such container any more, or it does not run
_RUNS = (ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING)
# By these a process ends unless it chooses otherwise; others, such as HUP and USR1, speak to it.
_ENDING = frozenset(("ABRT", "INT", "KILL", "QUIT", "TERM", "2", "3", "6", "9", "15"))


def chosen(agent: Agent, file: str, label: str) -> list[Container]:
    """The containers with that label, by node and name; "" are those whose label `skep.envfile` names the file."""
    found = [each for each in agent.cluster.state.containers() if each.id and is_labelled(each.labels, file, label)]
    return sorted(found, key=lambda each: (each.node, each.name))


async def is_labelled_by_image(agent: Agent, container: Container, file: str, label: str) -> bool:
    """Whether it has the label from its image, so that nobody had to say it at its create. Raises SkepError."""
    engine = engine_of(agent, container)
    told = msgspec.json.decode(await engine.call("GET", f"/containers/{container.id}/json"))
    image = msgspec.json.decode(await engine.call("GET", f"/images/{told['Image']}/json"))
    return is_labelled((image.get("Config") or {}).get("Labels") or {}, file, label)


def runs(container: Container) -> bool:
    """Whether it has a process, or gets one again by itself."""
    return container.state in _RUNS


def engine_of(agent: Agent, container: Container) -> Engine:
    """The engine of its node. Raises TemporaryError where that does not answer."""
    node = agent.cluster.state.get_node(container.node)
    if node is None or not node.node.is_healthy:
        raise TemporaryError(f"node {container.node}, with container {container.name}, does not answer")
    return agent.engine(container.node)


async def may_stop(agent: Agent, container: Container, action: str) -> None:
    """Let plugins prepare for its end. Raises RequestError where one refuses."""
    await agent.plugins.ask("container_stopping", ContainerStopping(container, action, CLIENT))


async def known_again(agent: Agent, node: str, id_: str) -> None:
    """Have the cluster's state know how a container is now; where its node does not tell, its watcher will."""
    with contextlib.suppress(SkepError):
        await agent.cluster.refresh_container(node, id_)


async def send_signal(agent: Agent, container: Container, signal: str, timeout: float) -> None:
    """Send a container a signal, if it runs. Raises SkepError."""
    if not runs(container):
        return
    engine = engine_of(agent, container)
    if signal.removeprefix("SIG") in _ENDING:
        await may_stop(agent, container, "kill")
    try:
        await engine.call("POST", f"/containers/{container.id}/kill", query={"signal": signal}, timeout=timeout)
    except EngineError as error:
        if error.status not in _GONE:
            raise
    await known_again(agent, container.node, container.id)


async def restart(agent: Agent, container: Container, timeout: float) -> None:
    """Restart a container, if it runs. Raises SkepError."""
    if not runs(container):
        return
    engine = engine_of(agent, container)
    await may_stop(agent, container, "restart")
    try:
        await engine.call("POST", f"/containers/{container.id}/restart", timeout=timeout)
    except EngineError as error:
        if error.status != _GONE[0]:
            raise
    finally:
        await known_again(agent, container.node, container.id)
