"""Whether a row of an engine's listing agrees with what is known of the container. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skep.models import Container, ContainerRow, ContainerState, Health

__all__ = ["agrees"]

_SLACK = 5.0  # seconds: the listing's way here, and the difference of two clocks that is not known
_TEXT = re.compile(
    r"(?:Up|Exited \((?P<code>-?\d+)\)|Restarting \(-?\d+\)) (?P<age>[^(]*?)(?: ago)?(?: \((?P<health>[^)]*)\))?"
)
_UNITS = {
    "second": 1,
    "minute": 60,
    "hour": 3600,
    "day": 86400,
    "week": 7 * 86400,
    "month": 30 * 86400,
    "year": 365 * 86400,
}
_HEALTH = {
    "healthy": Health.HEALTHY,
    "unhealthy": Health.UNHEALTHY,
    "health: starting": Health.STARTING,
    None: Health.NONE,
}


def agrees(row: ContainerRow, container: Container, now: float) -> bool:
    """False when the row shows that `container` is out of date. `now`: the engine's time, in seconds since the epoch.

    The text of the status is docker's, `Up 5 minutes (healthy)`, `Exited (0) 2 hours ago`. The time in it is rounded, and grows by itself:
    only one that is shorter than it can be shows that the process was started, or ended, anew.
    """
    if row.state != container.state or (row.names and container.name not in _own_names(row.names)):
        return False
    text = _TEXT.fullmatch(row.status)
    if text is None:
        return True
    if text["code"] is not None and int(text["code"]) != container.exit_code:
        return False
    if (
        container.state is ContainerState.RUNNING
        and _HEALTH.get(text["health"], container.health) is not container.health
    ):
        return False
    since = container.started_at if container.state.is_up else container.finished_at
    longest = _longest(text["age"])
    return longest is None or not since or now - since <= longest + _SLACK


def _own_names(names: Sequence[str]) -> set[str]:
    """A container's own among the names in its row: `/web`, or `/node/web` where another manager lists; links come as `/other/alias`."""
    shortest = min(name.count("/") for name in names)
    return {name.rpartition("/")[2] for name in names if name.count("/") == shortest}


def _longest(age: str) -> float | None:
    """The longest time, in seconds, that docker shows as this text; None for a text that it does not write."""
    number, _, unit = age.replace("About an ", "1 ").replace("About a ", "1 ").partition(" ")
    if age == "Less than a second":
        return 1.0
    seconds = _UNITS.get(unit.removesuffix("s"))
    if seconds is None or not number.isascii() or not number.isdigit() or len(number) > 6:
        return None
    return (int(number) + 1.0) * seconds
