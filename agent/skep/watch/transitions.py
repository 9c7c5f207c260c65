"""Two known states of a container as the lifecycle events between them."""

from __future__ import annotations

from collections.abc import Iterator

from skep import events
from skep.models import Container, ContainerState, Node

__all__ = ["transitions"]


def transitions(
    old: Container | None, new: Container | None, node: Node, at: float, *, initial: bool = False
) -> Iterator[events.ContainerEvent]:
    """The events that lead from `old` to `new`, in the order in which they must have happened."""

    def event(kind: type[events.ContainerEvent], container: Container) -> events.ContainerEvent:
        return kind(node, at, container, old, initial)

    was_up = old is not None and old.state.is_up
    if new is None:
        if old is not None:
            if was_up:
                yield event(events.ContainerDied, old)
            yield event(events.ContainerDestroyed, old)
        return
    if old is None:
        yield event(events.ContainerCreated, new)
    elif old.name != new.name:
        yield event(events.ContainerRenamed, new)
    restarted = old is not None and was_up and new.started_at != old.started_at
    if old is not None and was_up and (restarted or not new.state.is_up):
        if old.state is ContainerState.PAUSED:
            yield event(events.ContainerUnpaused, new)
        yield event(events.ContainerDied, new)
        was_up = False
    if not new.state.is_up:
        return
    if not was_up:
        yield event(events.ContainerStarted, new)
    was_paused = was_up and old is not None and old.state is ContainerState.PAUSED
    is_paused = new.state is ContainerState.PAUSED
    if was_paused is not is_paused:
        yield event(events.ContainerPaused if is_paused else events.ContainerUnpaused, new)
    if old is not None and was_up and old.health is not new.health:
        yield event(events.ContainerHealthChanged, new)
