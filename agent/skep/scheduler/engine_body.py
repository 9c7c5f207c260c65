"""The body that the chosen engine gets: what only the cluster understands (names with a node's, CPU shares) is put in the engine's terms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from skep.cluster import ClusterState, NodeState
from skep.errors import RequestError
from skep.models import Container
from skep.scheduler.request import PlacementRequest

__all__ = ["engine_body", "placed_container"]


def placed_container(container: Container, node: NodeState) -> Container:
    """The container as it will be on `node`: its CPU shares, whole CPUs in the request, in the engine's parts of 1024."""
    shares = _shares(container, node)
    return container if shares == container.cpu_shares else container.changed(cpu_shares=shares)


def engine_body(request: PlacementRequest, state: ClusterState, node: NodeState) -> Mapping[str, Any]:
    """The body of `POST /containers/create` for the engine of `node`.

    CPU shares are converted; networks and containers that are named with a node, or by Swarm's id, get the name that the engine knows.
    """
    body = dict(request.body)
    host = body.get("HostConfig")
    if isinstance(host, dict):
        body["HostConfig"] = _host_config(host, request.container, state, node)
    networking = body.get("NetworkingConfig")
    if isinstance(networking, dict) and isinstance(networking.get("EndpointsConfig"), dict):
        endpoints = {_without_node(key, state): value for key, value in networking["EndpointsConfig"].items()}
        if len(endpoints) < len(networking["EndpointsConfig"]):
            raise RequestError(
                "NetworkingConfig.EndpointsConfig names one network twice, with a node and without, or with two"
            )
        body["NetworkingConfig"] = {**networking, "EndpointsConfig": endpoints}
    return body


def _host_config(host: Mapping[str, Any], container: Container, state: ClusterState, node: NodeState) -> dict[str, Any]:
    changed = dict(host)
    if container.cpu_shares and host.get("CpuShares"):
        changed["CpuShares"] = _shares(container, node)
    for field in ("NetworkMode", "PidMode", "IpcMode"):
        mode = host.get(field)
        if isinstance(mode, str) and mode.startswith("container:"):
            changed[field] = f"container:{_on_engine(mode.removeprefix('container:'), node)}"
        elif field == "NetworkMode" and isinstance(mode, str):
            changed[field] = _without_node(mode, state)
    for field in ("Links", "VolumesFrom"):
        if host.get(field):
            changed[field] = [_first_on_engine(entry, node) for entry in host[field]]
    return changed


def _shares(container: Container, node: NodeState) -> int:
    shares = container.cpu_shares
    return shares if container.has_docker_weight or not node.node.cpus else math.ceil(shares * 1024 / node.node.cpus)


def _without_node(name: str, state: ClusterState) -> str:
    node, slash, rest = name.partition("/")
    return rest if slash and rest and state.get_node(node) is not None else name


def _first_on_engine(entry: str, node: NodeState) -> str:
    reference, colon, rest = entry.partition(":")
    return f"{_on_engine(reference, node)}{colon}{rest}"


def _on_engine(reference: str, node: NodeState) -> str:
    """A container's name as its engine knows it: without the node's, and the id for Swarm's id of it."""
    bare = reference.lstrip("/")
    first, slash, rest = bare.partition("/")
    if slash and first in (node.name, node.node.id):
        return rest
    if any(each.id.startswith(bare) or each.name == bare for each in node.containers.values()):
        return reference
    swarm = (each for each in node.containers.values() if each.swarm_id.startswith(bare))
    found = next(swarm, None)
    return reference if found is None or not bare else found.id
