"""The filters of `docker ps`, over what is known. Source: the Engine API reference, `GET /containers/json`; moby's daemon/list.go."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from contextlib import suppress

import re2

from skep import ClusterState, Container, ContainerState, Health, Port, RequestError, split_reference
from skep_docker_api.lookups import find_container
from skep_docker_api.queries import Filters, label_test
from skep_docker_api.status import is_running

__all__ = ["KNOWN", "Test", "tests"]

Test = Callable[[Container], bool]
KNOWN = frozenset(
    (
        *("ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name"),
        *("network", "node", "publish", "since", "status", "volume"),
    )
)
_STATES = tuple(state for state in ContainerState if state is not ContainerState.PENDING)


def tests(state: ClusterState, filters: Filters) -> list[Test]:
    """What a container has to pass; of one filter's values one is enough, but for labels. Raises RequestError (400, 404)."""
    return [make(state, values) for name, make in _MAKERS.items() if (values := filters.get(name))]


def _pattern(values: Iterable[str]) -> Callable[[str], bool]:
    """As engines match texts: equal, or a regular expression that fits anywhere; one that is none is just a text."""
    exact = frozenset(values)
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    valid = []
    for value in exact:
        with suppress(re2.error):
            re2.compile(value, options)
            valid.append(f"(?:{value})")
    if not valid:
        return exact.__contains__
    try:  # one for all: every container's names are searched
        search = re2.compile("|".join(sorted(valid)), options).search
    except re2.error:
        raise RequestError("invalid filters: the regular expressions are too large together") from None
    return lambda text: text in exact or search(text) is not None


def _id(state: ClusterState, values: list[str]) -> Test:
    matches = _pattern(values)
    return lambda container: matches(container.id)


def _name(state: ClusterState, values: list[str]) -> Test:
    matches = _pattern(values)
    return lambda c: matches(c.name) or matches(f"/{c.name}") or matches(f"{c.node}/{c.name}")


def _node(state: ClusterState, values: list[str]) -> Test:
    matches = functools.cache(_pattern(values))
    return lambda container: matches(container.node)


def _label(state: ClusterState, values: list[str]) -> Test:
    fits = label_test(values)
    return lambda container: fits(container.labels)


def _status(state: ClusterState, values: list[str]) -> Test:
    wanted = {_known("status", value, _STATES) for value in values}
    return lambda container: container.state in wanted


def _health(state: ClusterState, values: list[str]) -> Test:
    wanted = {_known("health", value, tuple(Health)) for value in values}
    return lambda container: container.health in wanted


def _known(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise RequestError(f"invalid filter '{name}={value[:80]}': expected one of {', '.join(known)}")
    return value


def _exited(state: ClusterState, values: list[str]) -> Test:
    try:
        wanted = {int(value) for value in values}
    except ValueError:
        raise RequestError(f"invalid filter 'exited={values[0][:80]}': expected an exit code, such as 0") from None
    return lambda c: c.exit_code in wanted and not is_running(c) and c.started_at > 0


def _before(state: ClusterState, values: list[str]) -> Test:
    limit = min(find_container(state, value).created for value in values)
    return lambda container: container.created < limit


def _since(state: ClusterState, values: list[str]) -> Test:
    limit = max(find_container(state, value).created for value in values)
    return lambda container: container.created > limit


def _network(state: ClusterState, values: list[str]) -> Test:
    names = frozenset(values)

    def test(container: Container) -> bool:
        return any(
            end.network in names
            or f"{container.node}/{end.network}" in names
            or (end.network_id and any(end.network_id.startswith(value) for value in names))
            for end in container.networks
        )

    return test


def _volume(state: ClusterState, values: list[str]) -> Test:
    names = frozenset(value.rstrip("/") or "/" for value in values)

    def test(container: Container) -> bool:
        return any(
            mount.name in names or mount.destination in names or f"{container.node}/{mount.name}" in names
            for mount in container.mounts
        )

    return test


def _ancestor(state: ClusterState, values: list[str]) -> Test:
    wanted: dict[str, set[str]] = {}
    for node in state.nodes:
        ids = wanted[node.name] = set()
        for image in node.images:
            if any(_is_image(value, image.id, (*image.tags, *image.digests)) for value in values):
                ids.add(image.id)
        while children := {image.id for image in node.images if image.parent in ids} - ids:
            ids |= children
    return lambda container: container.image_id in wanted.get(container.node, ()) or container.image in values


def _is_image(value: str, id_: str, names: Iterable[str]) -> bool:
    short = value.removeprefix("sha256:")
    if len(short) >= 4 and id_.removeprefix("sha256:").startswith(short):
        return True
    return (value if split_reference(value)[1] else f"{value}:latest") in names


def _publish(state: ClusterState, values: list[str]) -> Test:
    wanted = _port_test("publish", values)
    return lambda container: any(map(wanted, _published(container)))


def _published(container: Container) -> Iterable[Port]:
    yield from container.bindings
    yield from (port for port in container.ports if port.public is not None)


def _expose(state: ClusterState, values: list[str]) -> Test:
    wanted = _port_test("expose", values)
    return lambda container: any(map(wanted, container.exposed))


def _port_test(name: str, values: Iterable[str]) -> Callable[[Port], bool]:
    wanted = {_port_range(name, value) for value in values}
    return lambda port: any(
        first <= port.private <= last and port.protocol == protocol for first, last, protocol in wanted
    )


def _port_range(name: str, value: str) -> tuple[int, int, str]:
    """`80`, `80/udp`, `8000-8010/tcp`."""
    numbers, _, protocol = value.partition("/")
    first, dash, last = numbers.partition("-")
    ends = (first, last if dash else first)
    if not all(end.isascii() and end.isdigit() and len(end) <= 5 and int(end) < 65536 for end in ends):
        raise RequestError(
            f"invalid filter '{name}={value[:80]}': expected a port or a range, such as 80 or 8000-8010/udp"
        )
    return int(ends[0]), int(ends[1]), (protocol or "tcp").lower()


def _is_task(state: ClusterState, values: list[str]) -> Test:
    wanted = {value.lower() in ("1", "t", "true") for value in values}
    return lambda container: ("com.docker.swarm.task" in container.labels) in wanted


_MAKERS: dict[str, Callable[[ClusterState, list[str]], Test]] = {
    "node": _node,
    "id": _id,
    "name": _name,
    "label": _label,
    "status": _status,
    "health": _health,
    "exited": _exited,
    "before": _before,
    "since": _since,
    "network": _network,
    "volume": _volume,
    "ancestor": _ancestor,
    "publish": _publish,
    "expose": _expose,
    "is-task": _is_task,
}
