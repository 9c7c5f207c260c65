"""The body of `POST /containers/create`, read so that nothing in it can mean something else to an engine.

Engines are written in Go, whose JSON decoder takes keys in any case, and of a key that comes twice merges or takes the last. A rule that
looks for `HostConfig` would not see `hostconfig`. So keys are brought to the one spelling of the Engine API, and a key
that comes twice is refused. What an engine gets is this body encoded again, never the bytes that came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from skep.errors import RequestError
from skep.strict import strict_json

__all__ = ["read_body"]

_CONFIG = """
AttachStderr AttachStdin AttachStdout ArgsEscaped Cmd Domainname Entrypoint Env ExposedPorts Healthcheck HostConfig Hostname Image Labels
MacAddress NetworkDisabled NetworkingConfig OnBuild OpenStdin Shell StdinOnce StopSignal StopTimeout Tty User Volumes WorkingDir
Memory MemorySwap CpuShares Cpuset
"""
_HOST_CONFIG = """
Annotations AutoRemove Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeight
BlkioWeightDevice CapAdd CapDrop Cgroup CgroupParent CgroupnsMode ConsoleSize ContainerIDFile CpuCount CpuPercent CpuPeriod CpuQuota
CpuRealtimePeriod CpuRealtimeRuntime CpuShares CpusetCpus CpusetMems DeviceCgroupRules DeviceRequests Devices Dns DnsOptions DnsSearch
ExtraHosts GroupAdd IOMaximumBandwidth IOMaximumIOps Init IpcMode Isolation KernelMemory KernelMemoryTCP Links LogConfig MaskedPaths
Memory MemoryReservation MemorySwap MemorySwappiness Mounts NanoCpus NetworkMode OomKillDisable OomScoreAdj PidMode PidsLimit
PortBindings Privileged PublishAllPorts ReadonlyPaths ReadonlyRootfs RestartPolicy Runtime SecurityOpt ShmSize StorageOpt Sysctls Tmpfs
UTSMode Ulimits UsernsMode VolumeDriver VolumesFrom
"""
_MOVED = {
    "Memory": ("Memory", int),
    "MemorySwap": ("MemorySwap", int),
    "CpuShares": ("CpuShares", int),
    "Cpuset": ("CpusetCpus", str),
}
_ENDPOINT = "Aliases DriverOpts GwPriority IPAMConfig Links MacAddress NetworkID"


def _fold(key: str) -> str:
    # as Go does it: without case, and with the two letters beyond ASCII that it takes for s and k
    return key.replace("ſ", "s").replace("\u212a", "k").lower()


def _spellings(names: str) -> dict[str, str]:
    return {_fold(name): name for name in names.split()}


_KEYS = {
    "": _spellings(_CONFIG),
    "HostConfig": _spellings(_HOST_CONFIG),
    "NetworkingConfig": _spellings("EndpointsConfig"),
    "Binding": _spellings("HostIp HostPort"),
    "Endpoint": _spellings(_ENDPOINT),
}


def read_body(data: bytes) -> dict[str, Any]:
    """Decode a body; its keys, as far as skep or a rule may look at them, have the Engine API's spelling.

    Raises RequestError (400) naming the place for what is not one JSON object, has a key twice, or a number that JSON does not have.
    """
    body = strict_json(data, "container configuration")
    return _at_home(_canonical(body))


def _at_home(body: dict[str, Any]) -> dict[str, Any]:
    """With what API 1.5 and older had at the top put into `HostConfig`, where it wins, so that nobody reads past it."""
    host, moved = body.get("HostConfig"), dict[str, Any]()
    for old, (new, kind) in _MOVED.items():
        value = body.pop(old, None)
        if value is not None and type(value) is not kind:
            raise _refused(f"expected {'a whole number' if kind is int else 'a text'} - at `$.{old}`")
        if value:
            moved[new] = value
    return {**body, "HostConfig": {**(host or {}), **moved}} if moved and isinstance(host, dict | None) else body


def _refused(what: str) -> RequestError:
    return RequestError(f"invalid container configuration: {what}")


def _canonical(body: dict[str, Any]) -> dict[str, Any]:
    body = _spelled(body, "", "$")
    host = body.get("HostConfig")
    if isinstance(host, dict):
        body["HostConfig"] = host = _spelled(host, "HostConfig", "$.HostConfig")
        _respell(host, "PortBindings", _bindings)
    networking = body.get("NetworkingConfig")
    if isinstance(networking, dict):
        body["NetworkingConfig"] = networking = _spelled(networking, "NetworkingConfig", "$.NetworkingConfig")
        _respell(networking, "EndpointsConfig", _endpoint)
    return body


def _respell(table: dict[str, Any], field: str, spell: Any) -> None:
    if isinstance(table.get(field), dict):
        table[field] = {key: spell(value, f"$…{field}[{key[:60]!r}]") for key, value in table[field].items()}


def _bindings(value: Any, place: str) -> Any:
    if not isinstance(value, list):
        return value
    return [_spelled(each, "Binding", place) if isinstance(each, dict) else each for each in value]


def _endpoint(value: Any, place: str) -> Any:
    return _spelled(value, "Endpoint", place) if isinstance(value, dict) else value


def _spelled(table: Mapping[str, Any], kind: str, place: str) -> dict[str, Any]:
    """The table with its keys in the Engine API's spelling; two keys that Go takes for one are refused."""
    known = _KEYS[kind]
    if _are_spelled(table, known):
        return dict(table)
    spelled: dict[str, Any] = {}
    folded: dict[str, str] = {}
    for key, value in table.items():
        fold = _fold(key)
        if fold in folded:
            raise _refused(f"{place}: {folded[fold][:60]!r} and {key[:60]!r} are one key to an engine")
        folded[fold] = key
        spelled[known.get(fold, key)] = value
    return spelled


def _are_spelled(keys: Iterable[str], known: Mapping[str, str]) -> bool:
    return all(known.get(key.lower()) == key for key in keys)
