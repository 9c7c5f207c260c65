"""Nodes, containers and events as JSON: plain data. Environments are left out, they hold secrets."""

from __future__ import annotations

from collections import Counter
from typing import Any

from skep.cluster import NodeState
from skep.events import ContainerEvent, LifecycleEvent, Lost, NodeEvent
from skep.models import Container, ContainerState, Port, with_overcommit

__all__ = ["container_view", "event_view", "node_view"]


def node_view(state: NodeState, overcommit: float) -> dict[str, Any]:
    """A node and what is reserved on it. `cpus` and `memory` (bytes) are what may be reserved, see `with_overcommit`."""
    node = state.node
    states = Counter(container.state for container in state.containers.values())
    return {
        "name": node.name,
        "address": node.address,
        "ip": node.ip,
        "id": node.id,
        "status": str(node.status),
        "error": node.error,
        "failures": node.failures,
        "labels": dict(node.labels),
        "cpus": with_overcommit(node.cpus, overcommit),
        "memory": with_overcommit(node.memory, overcommit),
        "reserved_cpus": state.cpus_used,
        "reserved_memory": state.memory_used,
        "containers": {
            "total": len(state.containers),
            "running": states[ContainerState.RUNNING],
            "paused": states[ContainerState.PAUSED],
            "stopped": sum(count for state, count in states.items() if not state.is_up),
        },
        "images": len(state.images),
        "server_version": node.server_version,
        "api_version": node.api_version,
        "operating_system": node.operating_system,
        "architecture": node.architecture,
        "kernel_version": node.kernel_version,
        "clock_skew": node.clock_skew,
        "updated": node.updated,
    }


def container_view(container: Container) -> dict[str, Any]:
    """A container, without its environment. Times are in seconds since the epoch, 0 for never."""
    return {
        "id": container.id,
        "name": container.name,
        "node": container.node,
        "image": container.image,
        "command": container.command,
        "state": str(container.state),
        "health": str(container.health),
        "created": container.created,
        "started": container.started_at,
        "finished": container.finished_at,
        "exit_code": container.exit_code,
        "restarts": container.restart_count,
        "ports": [_port_view(port) for port in container.ports],
        "labels": dict(container.labels),
        "networks": {each.network: each.ip for each in container.networks},
    }


def event_view(event: LifecycleEvent | Lost) -> dict[str, Any]:
    """A lifecycle event. `event` is its hook's name (`events_lost` where `count` were dropped), `at` in seconds since the epoch."""
    if isinstance(event, Lost):
        return {"event": "events_lost", "count": event.count}
    view: dict[str, Any] = {"event": event.hook, "at": event.at, "node": event.node.name}
    if isinstance(event, NodeEvent):
        view |= {"status": str(event.node.status), "error": event.node.error}
    if isinstance(event, ContainerEvent):
        container = event.container
        view |= {
            "container": container.name,
            "id": container.id,
            "image": container.image,
            "state": str(container.state),
            "health": str(container.health),
            "exit_code": container.exit_code,
            "initial": event.initial,
        }
    return view


def _port_view(port: Port) -> dict[str, Any]:
    return {"private": port.private, "protocol": port.protocol, "public": port.public, "ip": port.ip}
