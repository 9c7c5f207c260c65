"""Containers that are about to be stopped: they get no more requests, though they still run."""

from __future__ import annotations

import time
from collections.abc import Callable

from skep import ClusterState, Container, ContainerState

__all__ = ["Leaving"]


class Leaving:
    """Each container stays here until its process has ended, or for `longest` seconds: a signal that it ignores is no end."""

    def __init__(self, longest: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest
        self._clock = clock
        self._containers: dict[str, tuple[Container, float]] = {}

    def add(self, container: Container) -> bool:
        """It is about to be stopped. False if that is known."""
        if container.id in self._containers:
            return False
        self._containers[container.id] = container, self._clock() + self._longest
        return True

    def ids(self) -> frozenset[str]:
        """Those that are about to be stopped."""
        now = self._clock()
        return frozenset(id_ for id_, (_, until) in self._containers.items() if until >= now)

    def prune(self, state: ClusterState) -> None:
        """Forget those whose process has ended, which was started again, and those that were not stopped after all."""
        for id_, (container, until) in list(self._containers.items()):
            node = state.get_node(container.node)
            now = node.containers.get(id_) if node else None
            ended = now is None or now.state is not ContainerState.RUNNING or now.started_at != container.started_at
            if ended or until < self._clock():
                del self._containers[id_]
