"""The filters of `docker ps`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from skep.testing.embedded.creation import find_image
from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.routing import Call
from skep.testing.embedded.state import Container, State

KNOWN = (
    "ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name",
    "network", "publish", "since", "status", "volume",
)  # fmt: skip
STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH = ("none", "starting", "healthy", "unhealthy")

Test = Callable[[Container], bool]


def listed(call: Call) -> list[Container]:
    """The containers that a list request asks for, newest first."""
    filters = call.filters(KNOWN)
    state = call.engine.state
    limit = call.integer("limit")
    every = call.flag("all") or limit > 0 or "status" in filters
    tests = [_TESTS[key](state, values) for key, values in filters.items() if key in _TESTS]
    found = []
    newest_first = reversed(list(state.containers.values()))
    for container in newest_first:
        if (every or container.running) and all(test(container) for test in tests):
            found.append(container)
            if limit and len(found) == limit:
                break
    return found


def labels_fit(labels: Mapping[str, str], wanted: list[str]) -> bool:
    """True when every `name` or `name=value` holds."""
    for entry in wanted:
        name, equals, value = entry.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True


def matches(values: list[str], texts: list[str]) -> bool:
    """True when a value equals one of the texts, or fits within it as a regular expression."""
    for value in values:
        try:
            pattern = re.compile(value)
        except re.error:
            pattern = re.compile(re.escape(value))
        if any(value == text or pattern.search(text) for text in texts):
            return True
    return False


def _status(state: State, values: list[str]) -> Test:
    for value in values:
        if value not in STATES:
            raise EngineError(400, f"Invalid filter 'status={value}'")
    return lambda container: container.status in values


def _health(state: State, values: list[str]) -> Test:
    for value in values:
        if value not in HEALTH:
            raise EngineError(400, f"Invalid filter 'health={value}'")
    return lambda container: (container.health or "none") in values


def _exited(state: State, values: list[str]) -> Test:
    try:
        codes = {int(value) for value in values}
    except ValueError:
        raise EngineError(400, f"Invalid filter 'exited={values[0]}'") from None
    return lambda container: not container.running and bool(container.started) and container.exit_code in codes


def _ancestor(state: State, values: list[str]) -> Test:
    ids = set()
    for value in values:
        try:
            ids.add(find_image(state, value).id)
        except EngineError:
            continue
    return lambda container: container.image_id in ids


def _network(state: State, values: list[str]) -> Test:
    def test(container: Container) -> bool:
        return any(
            value == name or end.network_id.startswith(value)
            for value in values
            for name, end in container.networks.items()
        )

    return test


def _volume(state: State, values: list[str]) -> Test:
    return lambda container: any(m.get(key) in values for m in container.mounts for key in ("Name", "Destination"))


def _reference(state: State, name: str) -> Container:
    if found := state.find_container(name):
        return found
    raise EngineError(500, f"no such container {name}")


def _before(state: State, values: list[str]) -> Test:
    limit = min(_reference(state, value).created for value in values)
    return lambda container: container.created < limit


def _since(state: State, values: list[str]) -> Test:
    limit = max(_reference(state, value).created for value in values)
    return lambda container: container.created > limit


_TESTS: dict[str, Callable[[State, list[str]], Test]] = {
    "ancestor": _ancestor,
    "before": _before,
    "exited": _exited,
    "health": _health,
    "id": lambda state, values: lambda container: matches(values, [container.id]),
    "label": lambda state, values: lambda container: labels_fit(container.config.get("Labels") or {}, values),
    "name": lambda state, values: lambda container: matches(values, [container.name, f"/{container.name}"]),
    "network": _network,
    "since": _since,
    "status": _status,
    "volume": _volume,
}
