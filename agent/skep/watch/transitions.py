"""Two known states of a container as the lifecycle events between them."""

from __future__ import annotations

from collections.abc import Iterator

from skep import events
from skep.models import Container, ContainerState, Endpoint, Health, Node

__all__ = ["transitions"]

_Step = tuple[type[events.ContainerEvent], Container]


def transitions(
    old: Container | None, new: Container | None, node: Node, at: float, *, initial: bool = False
) -> Iterator[events.ContainerEvent]:
    """The events that lead from `old` to `new`, in the order in which they must have happened; None is no container.

    For one container the events of any sequence of known states, told one after the other, are: created; then, any number of times, started,
    died, and between these health_changed, paused, unpaused, the last two in turn; renamed and updated anywhere; destroyed. A process that began and ended
    between two looks is told as well, known by the time of its start. Each event carries the container as it was then, as far as can be
    told; the last one carries `new` itself. `initial`: the first look at the node, so that what ran before it is not told.
    """
    steps: list[_Step] = []
    if new is not None:
        steps += _steps(old, new, initial=initial)
        if steps:
            steps[-1] = steps[-1][0], new
        elif old is not None and old != new and _settings(old) != _settings(new):
            steps.append((events.ContainerUpdated, new))
    elif old is not None:
        steps += [*_end(old, old.changed(state=ContainerState.EXITED)), (events.ContainerDestroyed, old)]
    last = old
    for kind, container in steps:
        if kind is events.ContainerDestroyed and last is not None:
            container = last  # as it was last
        yield kind(node, at, container, last, initial)
        last = container


def _steps(old: Container | None, new: Container, *, initial: bool) -> Iterator[_Step]:
    is_new_run = _is_new_run(old, new)
    was_up = old is not None and old.state.is_up
    if old is None:
        yield events.ContainerCreated, new.changed(state=ContainerState.CREATED)
    elif old.name != new.name:
        yield events.ContainerRenamed, old.changed(name=new.name)
    if old is not None and was_up and (is_new_run or not new.state.is_up):
        yield from _end(old, new)
        was_up = False
    if old is not None and was_up:
        yield from _changes_of_a_run(old, new)
    elif new.state.is_up:
        yield events.ContainerStarted, new.changed(state=ContainerState.RUNNING)
        if new.state is ContainerState.PAUSED:
            yield events.ContainerPaused, new
    elif is_new_run and not initial:
        yield events.ContainerStarted, new.changed(state=ContainerState.RUNNING)
        yield events.ContainerDied, new


def _settings(container: Container) -> Container:
    """The container without its node and what tells of its process; without one, addresses and ports come and go with the last one's end."""
    running = ContainerState.RUNNING
    same = container.changed(node="", state=running, started_at=0.0, finished_at=0.0, exit_code=0, restart_count=0)
    if container.state.is_up:
        return same
    networks = tuple(Endpoint(each.network) for each in container.networks)
    return same.changed(health=Health.NONE, ports=(), networks=networks)


def _is_new_run(old: Container | None, new: Container) -> bool:
    """Whether a process was started since `old`."""
    before = old.started_at if old is not None else 0.0
    return new.started_at != before and (new.started_at != 0.0 or new.state.is_up)


def _end(old: Container, new: Container) -> Iterator[_Step]:
    """The end of the process that ran in `old`."""
    if old.state is ContainerState.PAUSED:
        yield events.ContainerUnpaused, old.changed(name=new.name, state=ContainerState.RUNNING)
    if old.state.is_up:
        yield events.ContainerDied, new if not new.state.is_up else new.changed(state=ContainerState.EXITED)


def _changes_of_a_run(old: Container, new: Container) -> Iterator[_Step]:
    """What happened to one and the same process."""
    if old.health is not new.health:
        yield events.ContainerHealthChanged, new.changed(state=old.state)
    if old.state is not new.state:
        is_paused = new.state is ContainerState.PAUSED
        yield events.ContainerPaused if is_paused else events.ContainerUnpaused, new
