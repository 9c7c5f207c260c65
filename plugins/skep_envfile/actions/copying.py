"""The create request of a container that is there, from what its engine tells of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["further_networks", "new_env", "request_body", "whole_cpus"]

_SWARM_ID, _CPU_WEIGHT = "com.docker.swarm.id", "skep.cpu-weight"
_MERGED = ("ExposedPorts", "Volumes", "Labels")
_BUILT_IN = ("", "default", "bridge", "host", "none")


def new_env(env: Iterable[str], values: Mapping[str, str], names: Iterable[str]) -> list[str]:
    """An environment with the file's variables instead of those that it has or had; all else stays, in its order."""
    replaced = {*values, *names}
    kept = [entry for entry in env if entry.partition("=")[0] not in replaced]
    return [*kept, *(f"{name}={value}" for name, value in values.items())]


def request_body(
    told: Mapping[str, Any], image: Mapping[str, Any], reference: str, env: Iterable[str]
) -> dict[str, Any]:
    """A body of `POST /containers/create` for a container like the one that `told` is of, an answer to `/containers/ID/json`.

    What the image adds by itself is left to it. Volumes without a name are named, so that the new container has the same; only the first
    network is in it, as engines take only one before API 1.44, see `further_networks`.
    """
    config, host = dict(told["Config"]), dict(told["HostConfig"])
    base = image.get("Config") or {}
    for key in _MERGED:
        theirs = base.get(key) or {}
        config[key] = {k: v for k, v in (config.get(key) or {}).items() if k not in theirs or theirs[k] != v}
    own = set(base.get("Env") or ())
    config["Image"], config["Env"] = reference, [entry for entry in env if entry not in own]
    mode = str(host.get("NetworkMode") or "")
    shared = mode.startswith("container:") or host.get("UTSMode") == "host"
    if shared or config.get("Hostname") == told["Id"][:12]:
        config.pop("Hostname", None)
        config.pop("Domainname", None) if shared else None
    host["Binds"] = [*(host.get("Binds") or ()), *_unnamed_volumes(told, host)]
    host["Mounts"] = [_with_source(each, told) for each in host.get("Mounts") or ()]
    host["Links"] = [_link(each) for each in host.get("Links") or ()]
    body = {**config, "HostConfig": host}
    first = "" if mode in _BUILT_IN else _first_network(told)
    endpoints = {mode: end} if (end := _endpoint(_networks(told).get(first), told)) else {}
    body["NetworkingConfig"] = {"EndpointsConfig": endpoints}
    return body


def whole_cpus(body: dict[str, Any], cpus: int) -> None:
    """Give a body of `request_body` its CPU shares in whole CPUs again, where they came through skep, which wrote them in parts of 1024."""
    labels, shares = body["Labels"], body["HostConfig"].get("CpuShares") or 0
    if shares and _SWARM_ID in labels and _CPU_WEIGHT not in labels:
        body["HostConfig"]["CpuShares"] = max(1, shares * cpus // 1024)


def further_networks(told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The networks that it is in besides its first, each with its end of it, as `POST /networks/ID/connect` takes it."""
    first = _first_network(told)
    return {name: _endpoint(end, told) for name, end in _networks(told).items() if name != first}


def _first_network(told: Mapping[str, Any]) -> str:
    """The name of the network that the container's network mode says, by name or id."""
    mode = str(told["HostConfig"].get("NetworkMode") or "")
    if mode in ("", "default"):
        return "bridge"
    ids = (name for name, end in _networks(told).items() if mode == end.get("NetworkID"))
    return next(ids, mode)


def _networks(told: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    return (told.get("NetworkSettings") or {}).get("Networks") or {}


def _endpoint(end: Mapping[str, Any] | None, told: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked for of a container's end of a network: no address that it was given, no alias that is its id."""
    if end is None:
        return {}
    asked = {key: end[key] for key in ("IPAMConfig", "DriverOpts", "GwPriority") if end.get(key)}
    if aliases := [each for each in end.get("Aliases") or () if each != told["Id"][:12]]:
        asked["Aliases"] = aliases
    if links := [_link(each) for each in end.get("Links") or ()]:
        asked["Links"] = links
    return asked


def _link(text: str) -> str:
    """`/redis:/web/db`, as an engine tells it, as `redis:db`."""
    container, colon, alias = text.partition(":")
    return f"{container.lstrip('/')}{colon}{alias.rpartition('/')[2]}"


def _unnamed_volumes(told: Mapping[str, Any], host: Mapping[str, Any]) -> list[str]:
    """Its volumes that its request does not name, as binds."""
    named = {bind.split(":")[1] for bind in host.get("Binds") or () if ":" in bind}
    named |= {each.get("Target") for each in host.get("Mounts") or ()}
    volumes = (each for each in told.get("Mounts") or () if each.get("Type") == "volume" and each.get("Name"))
    return [
        f"{each['Name']}:{each['Destination']}{'' if each.get('RW', True) else ':ro'}"
        for each in volumes
        if each["Destination"] not in named
    ]


def _with_source(mount: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    if mount.get("Type") != "volume" or mount.get("Source"):
        return dict(mount)
    for each in told.get("Mounts") or ():
        if each.get("Destination") == mount.get("Target") and each.get("Name"):
            return {**mount, "Source": each["Name"]}
    return dict(mount)
