"""The filters of `docker events`: the engine's own, and `node`. Source: the Engine API reference, "Monitor events"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from skep import split_reference
from skep_docker_api.queries import label_test

__all__ = ["event_filter"]

Event = Mapping[str, Any]

_SUBJECTS = ("container", "volume", "network", "daemon", "plugin", "service", "secret", "config")


def event_filter(filters: Mapping[str, list[str]]) -> Callable[[Event], bool]:
    """Whether an event, decoded, fits: of each filter one value, of `label` all; a filter that is not known passes all, as with engines."""
    tests = [_test(name, values) for name, values in filters.items() if name in _TESTS or name in _SUBJECTS]
    return lambda event: all(test(event) for test in tests)


def _test(name: str, values: list[str]) -> Callable[[Event], bool]:
    if name in _SUBJECTS:
        return lambda event: event.get("Type") == name and _is_subject(event, values)
    return lambda event: _TESTS[name](event, values)


def _attributes(event: Event) -> Mapping[str, str]:
    return (event.get("Actor") or {}).get("Attributes") or {}


def _id(event: Event) -> str:
    return (event.get("Actor") or {}).get("ID") or ""


def _is_subject(event: Event, values: list[str]) -> bool:
    """By the beginning of id or name, or by `node/name`."""
    attributes = _attributes(event)
    name, node = attributes.get("name", ""), attributes.get("node.name", "")
    for value in values:
        prefix, slash, rest = value.removeprefix("/").partition("/")
        wanted = rest if slash and prefix == node else value.removeprefix("/")
        if wanted and (_id(event).startswith(wanted) or name.startswith(wanted)):
            return True
    return False


def _type(event: Event, values: list[str]) -> bool:
    return event.get("Type") in values


def _action(event: Event, values: list[str]) -> bool:
    """`exec_create` fits `exec_create: sh` too."""
    action = event.get("Action") or ""
    return action in values or action.partition(":")[0] in values


def _image(event: Event, values: list[str]) -> bool:
    name = _attributes(event).get("name" if event.get("Type") == "image" else "image", "")
    return any(
        value in (_id(event), name, split_reference(_id(event))[0], split_reference(name)[0]) for value in values
    )


def _label(event: Event, values: list[str]) -> bool:
    return label_test(values)(_attributes(event))


def _scope(event: Event, values: list[str]) -> bool:
    return (event.get("scope") or "local") in values


def _node(event: Event, values: list[str]) -> bool:
    attributes = _attributes(event)
    return any(value in (attributes.get("node.name"), attributes.get("node.id")) for value in values)


_TESTS: Mapping[str, Callable[[Event, list[str]], bool]] = {
    "event": _action,
    "image": _image,
    "label": _label,
    "node": _node,
    "scope": _scope,
    "type": _type,
}
