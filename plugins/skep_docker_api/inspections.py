"""Inspections: an engine's, with what the cluster knows added; and one from what is known, for a node that does not answer."""

from __future__ import annotations

from typing import Any

import msgspec

from skep import Container, ContainerState, EngineProtocolError, Health, Node, Port, format_time
from skep_docker_api.rows import endpoint, host_ip, mount
from skep_docker_api.status import is_running

__all__ = ["from_engine", "from_state"]


def from_engine(body: bytes, node: Node, *, hides_env: bool = False) -> bytes:
    """An engine's answer with `Node` added, and the node's address where a published port is open on each of its addresses.

    hides_env: the values of environment variables are left out.
    """
    try:
        found = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise EngineProtocolError(f"node {node.name}: unreadable container: {error}") from None
    config = found.get("Config")
    if hides_env and isinstance(config, dict):
        config["Env"] = _names_alone(config.get("Env"))
    settings = found.get("NetworkSettings")
    ports = settings.get("Ports") if isinstance(settings, dict) else None
    ports = ports if isinstance(ports, dict) else {}
    for key, bindings in ports.items():
        if bindings:
            shown = [{**binding, "HostIp": host_ip(binding.get("HostIp", ""), node)} for binding in bindings]
            # 0.0.0.0 and :: have become one
            ports[key] = [each for at, each in enumerate(shown) if each not in shown[:at]]
    return msgspec.json.encode({**found, "Node": node_block(node)})


def node_block(node: Node) -> dict[str, Any]:
    """`Node` of an inspection, as Swarm managers have it."""
    return {
        "ID": node.id,
        "IP": node.ip,
        "Addr": node.address.removeprefix("tcp://"),
        "Name": node.name,
        "Cpus": node.cpus,
        "Memory": node.memory,
        "Labels": node.labels,
    }


def _names_alone(env: Any) -> list[str]:
    """Environment variables without their values."""
    return [f"{str(entry).partition('=')[0]}=***" for entry in env] if isinstance(env, list | tuple) else []


def from_state(container: Container, node: Node, *, hides_env: bool = False) -> dict[str, Any]:
    """An inspection with as much as is known while the engine is away. `Node` tells of that too, in `Error`."""
    path, _, arguments = container.command.partition(" ")
    return {
        "Id": container.id,
        "Created": format_time(container.created),
        "Path": path,
        "Args": arguments.split() if arguments else [],
        "State": _state(container),
        "Image": container.image_id,
        "Name": f"/{container.name}",
        "RestartCount": container.restart_count,
        "HostConfig": {
            "NetworkMode": container.network_mode,
            "PortBindings": _bindings(container.bindings, None),
            "Links": list(container.links) or None,
            "VolumesFrom": list(container.volumes_from) or None,
            "Memory": container.memory,
            "NanoCpus": container.nano_cpus,
            "CpuShares": container.cpu_shares,
            "AutoRemove": container.auto_remove,
        },
        "Mounts": [mount(each) for each in container.mounts],
        "Config": {
            "Hostname": container.hostname,
            "Image": container.image,
            "Env": _names_alone(container.env) if hides_env else list(container.env),
            "Labels": container.labels,
            "ExposedPorts": {f"{port.private}/{port.protocol}": {} for port in container.exposed},
        },
        "NetworkSettings": {
            "Ports": _bindings(container.ports, node),
            "Networks": {end.network: endpoint(end) for end in container.networks},
        },
        "Node": {**node_block(node), "Error": node.error},
    }


def _state(container: Container) -> dict[str, Any]:
    state = container.state
    shown: dict[str, Any] = {
        "Status": state,
        "Running": is_running(container),
        "Paused": state is ContainerState.PAUSED,
        "Restarting": state is ContainerState.RESTARTING,
        "Dead": state is ContainerState.DEAD,
        "ExitCode": container.exit_code,
        "StartedAt": format_time(container.started_at),
        "FinishedAt": format_time(container.finished_at),
    }
    return shown if container.health is Health.NONE else {**shown, "Health": {"Status": container.health}}


def _bindings(ports: tuple[Port, ...], node: Node | None) -> dict[str, list[dict[str, str]] | None]:
    shown: dict[str, list[dict[str, str]] | None] = {}
    for port in ports:
        key = f"{port.private}/{port.protocol}"
        known = shown.setdefault(key, None)
        if port.public is not None:
            ip = host_ip(port.ip, node) if node else port.ip
            shown[key] = [*(known or ()), {"HostIp": ip, "HostPort": str(port.public)}]
    return shown
