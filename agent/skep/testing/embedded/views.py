"""Containers as the Engine API shows them: the list's row and the inspection."""

from __future__ import annotations

import time
from typing import Any

from .defaults import CONFIG_DEFAULTS, HOST_DEFAULTS
from .state import Container, Endpoint, Json, State
from .times import age, rfc3339

DEPRECATED_SETTINGS: Json = {
    "Bridge": "", "HairpinMode": False, "LinkLocalIPv6Address": "", "LinkLocalIPv6PrefixLen": 0,
    "SecondaryIPAddresses": None, "SecondaryIPv6Addresses": None,
}  # fmt: skip


def status_text(container: Container) -> str:
    """The STATUS column of `docker ps`."""
    now = time.time_ns()
    ended = age((now - container.finished) / 1e9)
    match container.status:
        case "created":
            return "Created"
        case "restarting":
            return f"Restarting ({container.exit_code}) {ended} ago"
        case "exited":
            return f"Exited ({container.exit_code}) {ended} ago"
    up = f"Up {age((now - container.started) / 1e9)}"
    if container.status == "paused":
        return f"{up} (Paused)"
    if container.health:
        return f"{up} ({'health: ' if container.health == 'starting' else ''}{container.health})"
    return up


def row(state: State, container: Container, version: tuple[int, int]) -> Json:
    """One row of `GET /containers/json`."""
    if container.row is None:
        container.row = _row(state, container)
    found = {**container.row, "Names": names(state, container), "Status": status_text(container)}
    if version >= (1, 52):
        found["Health"] = {"Status": container.health or "none", "FailingStreak": 0}
    return found


def _row(state: State, container: Container) -> Json:
    image = state.images.get(container.image_id)
    asked = container.config.get("Image", "")
    return {
        "Id": container.id,
        "Names": [],
        "Image": asked if image is not None else container.image_id,
        "ImageID": container.image_id,
        "Command": " ".join(f"'{word}'" if " " in word else word for word in container.argv),
        "Created": container.created // 1_000_000_000,
        "Ports": _row_ports(container),
        "Labels": container.config.get("Labels") or {},
        "State": container.status,
        "Status": "",
        "HostConfig": {"NetworkMode": container.host.get("NetworkMode") or "default"},
        "NetworkSettings": {"Networks": {name: endpoint(end) for name, end in container.networks.items()}},
        "Mounts": mounts(container),
    }


def names(state: State, container: Container) -> list[str]:
    """The container's name, and before it those by which others link to it."""
    own = f"/{container.name}"
    if not state.links:
        return [own]
    return [f"/{user.name}/{alias}" for user, alias in state.links.get(container.id, ())] + [own]


def _row_ports(container: Container) -> list[Json]:
    found: list[Json] = []
    for port, bindings in (container.ports or {}).items():
        number, _, protocol = port.partition("/")
        private = {"PrivatePort": int(number), "Type": protocol or "tcp"}
        if bindings is None:
            found.append(private)
        found += [
            {"IP": binding["HostIp"], **private, "PublicPort": int(binding["HostPort"])} for binding in bindings or ()
        ]
    return found


def endpoint(end: Endpoint) -> Json:
    """A container's end of one network."""
    return {
        "IPAMConfig": None,
        "Links": end.links,
        "Aliases": end.aliases,
        "NetworkID": end.network_id,
        "EndpointID": end.endpoint_id,
        "Gateway": end.gateway,
        "IPAddress": end.address,
        "IPPrefixLen": end.prefix,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": end.mac,
        "DriverOpts": None,
    }


def mounts(container: Container) -> list[Json]:
    """The container's mounts, without our own mark of anonymous volumes."""
    return [{key: value for key, value in mount.items() if key != "Anonymous"} for mount in container.mounts]


def inspection(state: State, container: Container, version: tuple[int, int]) -> Json:
    """`GET /containers/{id}/json`."""
    argv = container.argv
    folder = f"/var/lib/docker/containers/{container.id}"
    return {
        "Id": container.id,
        "Created": rfc3339(container.created),
        "Path": argv[0],
        "Args": argv[1:],
        "State": _state(container),
        "Image": container.image_id,
        "ResolvConfPath": f"{folder}/resolv.conf",
        "HostnamePath": f"{folder}/hostname",
        "HostsPath": f"{folder}/hosts",
        "LogPath": f"{folder}/{container.id}-json.log",
        "Name": f"/{container.name}",
        "RestartCount": container.restarts,
        "Driver": "overlay2",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": container.execs or None,
        "HostConfig": HOST_DEFAULTS | container.host | _links(state, container),
        "GraphDriver": {"Data": {}, "Name": "overlay2"},
        "Mounts": mounts(container),
        "Config": CONFIG_DEFAULTS | container.config,
        "NetworkSettings": _network_settings(container, version),
    }


def _links(state: State, container: Container) -> Json:
    """The containers it links to, under the names that they have now."""
    found = [
        f"/{state.containers[target].name}:/{container.name}/{alias}"
        for target, users in state.links.items()
        for user, alias in users
        if user is container and target in state.containers
    ]
    return {"Links": found} if found else {}


def _state(container: Container) -> Json:
    health: dict[str, Any] = {}
    if container.health:
        health = {"Health": {"Status": container.health, "FailingStreak": 0, "Log": container.health_log}}
    return {
        "Status": container.status,
        "Running": container.running,
        "Paused": container.status == "paused",
        "Restarting": container.status == "restarting",
        "OOMKilled": container.oom_killed,
        "Dead": False,
        "Pid": container.pid,
        "ExitCode": container.exit_code,
        "Error": container.error,
        "StartedAt": rfc3339(container.started),
        "FinishedAt": rfc3339(container.finished),
        **health,
    }


def _network_settings(container: Container, version: tuple[int, int]) -> Json:
    settings: Json = {
        "SandboxID": container.id[::-1] if container.running else "",
        "Ports": container.ports or {},
        "SandboxKey": f"/var/run/docker/netns/{container.id[-12:]}" if container.running else "",
        "Networks": {name: endpoint(end) for name, end in container.networks.items()},
    }
    if version >= (1, 52):
        return settings
    bridge = endpoint(container.networks.get("bridge") or Endpoint(""))
    old = ("EndpointID", "Gateway", "GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPAddress", "IPPrefixLen")
    return settings | DEPRECATED_SETTINGS | {key: bridge[key] for key in (*old, "IPv6Gateway", "MacAddress")}
