"""The rows of `docker network ls` and `docker volume ls`, of all nodes, from the cluster's state."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import msgspec

from skep import ClusterState, Network, NodeState, RequestError, Volume
from skep_docker_api.queries import label_test

__all__ = ["NETWORK_FILTERS", "VOLUME_FILTERS", "is_predefined", "list_networks", "list_volumes", "shown_name"]

NETWORK_FILTERS = ("dangling", "driver", "id", "label", "name", "node", "scope", "type")
VOLUME_FILTERS = ("dangling", "driver", "label", "name", "node")

Filters = Mapping[str, list[str]]
Item = TypeVar("Item", Network, Volume)
Test = Callable[[NodeState, Item], bool]
Visible = Callable[[Mapping[str, str]], bool]

_PREDEFINED = ("bridge", "host", "none", "nat", "ingress")


def is_predefined(name: str) -> bool:
    """Whether an engine makes a network of that name by itself."""
    return name in _PREDEFINED


def shown_name(node: NodeState, item: Network | Volume, *, shows_nodes: bool) -> str:
    """`node/name` for what one node has for itself, where nodes are shown; else the bare name."""
    local = item.driver == "local" if isinstance(item, Volume) else item.scope == "local"
    return f"{node.name}/{item.name}" if local and shows_nodes else item.name


def list_networks(
    state: ClusterState, filters: Filters, *, shows_nodes: bool, visible: Visible | None = None
) -> list[dict[str, Any]]:
    """Each network, one that spans nodes once. Raises RequestError (400) for a value that a filter cannot have."""
    tests = [*_seen(visible), *_network_tests(state, filters, shows_nodes)]
    rows: dict[str, dict[str, Any]] = {}
    for node in state.nodes:
        for network in node.networks:
            if network.id not in rows and all(test(node, network) for test in tests):
                rows[network.id] = {**_row(network), "Name": shown_name(node, network, shows_nodes=shows_nodes)}
    return list(rows.values())


def list_volumes(
    state: ClusterState, filters: Filters, *, shows_nodes: bool, visible: Visible | None = None
) -> list[dict[str, Any]]:
    """Each volume, one of a driver that spans nodes once. Raises RequestError as `list_networks`."""
    tests = [*_seen(visible), *_volume_tests(state, filters, shows_nodes)]
    rows: dict[str, dict[str, Any]] = {}
    for node in state.nodes:
        for volume in node.volumes:
            key = f"{node.name}/{volume.name}" if volume.driver == "local" else f"{volume.driver}:{volume.name}"
            if key not in rows and all(test(node, volume) for test in tests):
                rows[key] = {**_row(volume), "Name": shown_name(node, volume, shows_nodes=shows_nodes)}
    return list(rows.values())


def _seen(visible: Visible | None) -> list[Callable[[NodeState, Any], bool]]:
    return [] if visible is None else [lambda node, item: visible(item.labels or {})]


def _row(item: Network | Volume) -> dict[str, Any]:
    return msgspec.json.decode(item.row, type=dict[str, Any]) if item.row else {}


def _network_tests(state: ClusterState, filters: Filters, shows_nodes: bool) -> list[Test[Network]]:
    tests: list[Test[Network]] = _common_tests(filters, shows_nodes)
    if ids := filters.get("id"):
        tests.append(lambda node, network: any(network.id.startswith(value) for value in ids))
    if scopes := filters.get("scope"):
        tests.append(lambda node, network: network.scope in scopes)
    if kinds := filters.get("type"):
        for kind in kinds:
            if kind not in ("builtin", "custom"):
                raise RequestError(f"invalid filter 'type={kind[:60]}': expected builtin or custom")
        tests.append(lambda node, network: ("builtin" if is_predefined(network.name) else "custom") in kinds)
    if (wanted := _boolean(filters, "dangling")) is not None:
        used = {end.network_id for each in state.containers() for end in each.networks}
        tests.append(lambda _, network: (network.id not in used and not is_predefined(network.name)) == wanted)
    return tests


def _volume_tests(state: ClusterState, filters: Filters, shows_nodes: bool) -> list[Test[Volume]]:
    tests: list[Test[Volume]] = _common_tests(filters, shows_nodes)
    if (wanted := _boolean(filters, "dangling")) is not None:
        used = {(each.node, mount.name) for each in state.containers() for mount in each.mounts if mount.name}
        tests.append(lambda node, volume: ((node.name, volume.name) not in used) == wanted)
    return tests


def _common_tests(filters: Filters, shows_nodes: bool) -> list[Callable[[NodeState, Any], bool]]:
    tests: list[Callable[[NodeState, Any], bool]] = []
    if names := filters.get("name"):
        tests.append(
            lambda node, item: any(
                _name_fits(value, (item.name, shown_name(node, item, shows_nodes=shows_nodes))) for value in names
            )
        )
    if drivers := filters.get("driver"):
        tests.append(lambda node, item: item.driver in drivers)
    if labels := filters.get("label"):
        fits = label_test(labels)
        tests.append(lambda node, item: fits(item.labels or {}))
    if nodes := filters.get("node"):
        tests.append(lambda node, item: node.name in nodes or node.node.id in nodes)
    return tests


def _name_fits(value: str, names: Collection[str]) -> bool:
    """As a part of the name; `^` and `$` tie it to the beginning and the end."""
    start, end, text = value.startswith("^"), value.endswith("$"), value.removeprefix("^").removesuffix("$")
    text = re.sub(r"\\(.)", r"\1", text)
    if start and end:
        return text in names
    if start:
        return any(name.startswith(text) for name in names)
    return any(name.endswith(text) if end else text in name for name in names)


def _boolean(filters: Filters, name: str) -> bool | None:
    if name not in filters:
        return None
    values = {value.lower() for value in filters[name]}
    if values <= {"true", "1"}:
        return True
    if values <= {"false", "0"}:
        return False
    raise RequestError(f"invalid filter '{name}={', '.join(sorted(values))[:60]}': expected true or false")
