"""The STATUS column of `docker ps`, in docker's words."""

from __future__ import annotations

from skep import Container, ContainerState, Health

__all__ = ["age", "is_running", "status_text"]

_HOUR = 3600
_UNITS = (  # up to this many hours, hours in the unit, its name
    (48, 1, "hours"),
    (24 * 14, 24, "days"),
    (24 * 60, 24 * 7, "weeks"),
    (24 * 730, 24 * 30, "months"),
)


def is_running(container: Container) -> bool:
    """Whether engines count it as running, and `docker ps` shows it: one that is paused, or is started again and again, too."""
    return container.state.is_up or container.state is ContainerState.RESTARTING


def age(seconds: float) -> str:
    """A duration as docker shows it: `Less than a second`, `5 minutes`, `About an hour`, `3 weeks`."""
    whole = max(0, int(seconds))
    if whole < 1:
        return "Less than a second"
    if whole < 60:
        return "1 second" if whole == 1 else f"{whole} seconds"
    if whole < _HOUR:
        return "About a minute" if whole < 120 else f"{whole // 60} minutes"
    hours = int(whole / _HOUR + 0.5)
    if hours <= 1:
        return "About an hour"
    for limit, unit, name in _UNITS:
        if hours < limit:
            return f"{hours // unit} {name}"
    return f"{int(whole / _HOUR) // (24 * 365)} years"


def status_text(container: Container, now: float) -> str:
    """How a container is, at a time in seconds since the epoch by its node's clock."""
    match container.state:
        case ContainerState.RUNNING | ContainerState.PAUSED:
            return f"Up {age(now - container.started_at)}{_addition(container)}"
        case ContainerState.RESTARTING:
            return f"Restarting ({container.exit_code}) {age(now - container.finished_at)} ago"
        case ContainerState.REMOVING:
            return "Removal In Progress"
        case ContainerState.DEAD:
            return "Dead"
        case ContainerState.EXITED if container.finished_at:
            return f"Exited ({container.exit_code}) {age(now - container.finished_at)} ago"
    return "Created"


def _addition(container: Container) -> str:
    if container.state is ContainerState.PAUSED:
        return " (Paused)"
    if container.health is Health.NONE:
        return ""
    return f" (health: {container.health})" if container.health is Health.STARTING else f" ({container.health})"
