"""What an engine's event makes worth another look. Source: the Engine API reference, "Monitor events"."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from skep.engine import EngineEvent
from skep.watch.reads import is_id

__all__ = ["Key", "Kind", "affected"]


class Kind(enum.Enum):
    """What is read at once: one container, or a whole list."""

    CONTAINER = enum.auto()
    CONTAINERS = enum.auto()
    IMAGES = enum.auto()
    NETWORKS = enum.auto()
    VOLUMES = enum.auto()
    NODE = enum.auto()


Key = tuple[Kind, str]

# These change nothing; those of exec come with a command behind a colon.
_IDLE = frozenset({"attach", "detach", "copy", "export", "extract-to-dir", "archive-path", "resize", "top"})
_IDLE_LISTS = frozenset({"push", "save", "mount", "unmount", "connect", "disconnect"})
_LISTS = {"image": Kind.IMAGES, "network": Kind.NETWORKS, "volume": Kind.VOLUMES}


def affected(event: EngineEvent) -> Iterator[Key]:
    """What may have changed when this happened."""
    action = event.action.partition(":")[0]
    if event.type == "container":
        if action == "commit":
            yield Kind.IMAGES, ""
        elif action not in _IDLE and not action.startswith("exec_") and is_id(event.id):
            yield Kind.CONTAINER, event.id
    elif event.type in _LISTS:
        if action not in _IDLE_LISTS:
            yield _LISTS[event.type], ""
        container = event.attributes.get("container", "")
        if event.type == "network" and is_id(container):
            yield Kind.CONTAINER, container
    elif event.type == "daemon" and action == "reload":
        yield Kind.NODE, ""
