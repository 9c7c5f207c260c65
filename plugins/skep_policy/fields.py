"""The fields of the Engine API's bodies, and bodies brought to them.

Engines take keys in any case, so a rule that looks for `Privileged` would not see `privileged`. Here each key gets the API's spelling, and two that
are one to an engine are refused. What is not in these tables is nothing that a rule could judge. Source: the Engine API reference, 1.24
to 1.52.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skep import RequestError

__all__ = ["BODIES", "spelled"]

Schema = Any
"""A type of JSON value (`str`, `int`, `bool`, `float`, `object` for any); `[schema]` a list; `{"*": schema}` an object with free keys; other
dictionaries an object with these keys. null is taken, but for an element of a list that is no object."""


def _of(kind: Schema, names: str) -> dict[str, Schema]:
    return dict.fromkeys(names.split(), kind)


_TEXTS = {"*": str}
_EMPTIES = {"*": {"*": object}}
_HEALTH = {"Test": [str], **_of(int, "Interval Timeout Retries StartPeriod StartInterval")}
_CONFIG = {
    **_of(str, "Domainname Hostname Image MacAddress StopSignal User WorkingDir Cpuset"),
    **_of(bool, "ArgsEscaped AttachStderr AttachStdin AttachStdout NetworkDisabled OpenStdin StdinOnce Tty"),
    **_of((str, [str]), "Cmd Entrypoint"),
    **_of([str], "Env OnBuild Shell"),
    **_of(int, "StopTimeout Memory MemorySwap CpuShares"),
    **_of(_EMPTIES, "ExposedPorts Volumes"),
    "Healthcheck": _HEALTH,
    "Labels": _TEXTS,
}
_RATES = [{"Path": str, "Rate": int}]
_RESOURCES = {
    **_of(_RATES, "BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps"),
    **_of(str, "CgroupParent CpusetCpus CpusetMems"),
    **_of(bool, "Init OomKillDisable"),
    **_of(
        int,
        "BlkioWeight CpuCount CpuPercent CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpuShares IOMaximumBandwidth "
        "IOMaximumIOps KernelMemory KernelMemoryTCP Memory MemoryReservation MemorySwap MemorySwappiness NanoCpus PidsLimit",
    ),
    "BlkioWeightDevice": [{"Path": str, "Weight": int}],
    "DeviceCgroupRules": [str],
    "DeviceRequests": [
        {"Driver": str, "Count": int, "DeviceIDs": [str], "Capabilities": [[str]], "Options": _TEXTS},
    ],
    "Devices": [_of(str, "PathOnHost PathInContainer CgroupPermissions")],
    "RestartPolicy": {"Name": str, "MaximumRetryCount": int},
    "Ulimits": [{"Name": str, "Soft": int, "Hard": int}],
}
_DRIVER = {"Name": str, "Options": _TEXTS}
_MOUNT = {
    **_of(str, "Type Source Target Consistency"),
    "ReadOnly": bool,
    "BindOptions": {
        "Propagation": str,
        **_of(bool, "NonRecursive CreateMountpoint ReadOnlyNonRecursive ReadOnlyForceRecursive"),
    },
    "VolumeOptions": {"NoCopy": bool, "Labels": _TEXTS, "DriverConfig": _DRIVER, "Subpath": str},
    "ImageOptions": {"Subpath": str},
    "TmpfsOptions": {"SizeBytes": int, "Mode": int, "Options": [[str]]},
    "ClusterOptions": {"*": object},
}
_HOST_CONFIG = {
    **_RESOURCES,
    **_of(
        str,
        "Cgroup CgroupnsMode ContainerIDFile IpcMode Isolation NetworkMode PidMode Runtime UTSMode UsernsMode VolumeDriver",
    ),
    **_of(bool, "AutoRemove Privileged PublishAllPorts ReadonlyRootfs"),
    **_of(
        [str],
        "Binds CapAdd CapDrop Dns DnsOptions DnsSearch ExtraHosts GroupAdd Links MaskedPaths ReadonlyPaths SecurityOpt VolumesFrom",
    ),
    **_of(_TEXTS, "Annotations StorageOpt Sysctls Tmpfs"),
    **_of(int, "OomScoreAdj ShmSize"),
    "ConsoleSize": [int],
    "LogConfig": {"Type": str, "Config": _TEXTS},
    "Mounts": [_MOUNT],
    "PortBindings": {"*": [_of(str, "HostIp HostPort")]},
}
_ENDPOINT = {
    **_of([str], "Aliases Links DNSNames"),
    **_of(str, "EndpointID Gateway GlobalIPv6Address IPAddress IPv6Gateway MacAddress NetworkID"),
    **_of(int, "GlobalIPv6PrefixLen GwPriority IPPrefixLen"),
    "DriverOpts": _TEXTS,
    "IPAMConfig": {**_of(str, "IPv4Address IPv6Address"), "LinkLocalIPs": [str]},
}
_IPAM = {
    "Driver": str,
    "Options": _TEXTS,
    "Config": [{**_of(str, "Subnet IPRange Gateway"), "AuxiliaryAddresses": _TEXTS, "AuxAddress": _TEXTS}],
}
_EXEC = {
    **_of(bool, "AttachStdin AttachStdout AttachStderr Detach Privileged Tty"),
    **_of(str, "DetachKeys User WorkingDir"),
    **_of([str], "Cmd Env"),
    "ConsoleSize": [int],
}
BODIES: Mapping[str, Schema] = {
    "container.create": {
        **_CONFIG,
        "HostConfig": _HOST_CONFIG,
        "NetworkingConfig": {"EndpointsConfig": {"*": _ENDPOINT}},
    },
    "container.update": _RESOURCES,
    "exec.create": _EXEC,
    "exec.start": {**_of(bool, "Detach Tty"), "ConsoleSize": [int]},
    "image.commit": _CONFIG,
    "network.create": {
        **_of(str, "Name Driver Scope"),
        **_of(bool, "Attachable CheckDuplicate ConfigOnly EnableIPv4 EnableIPv6 Ingress Internal"),
        **_of(_TEXTS, "Labels Options"),
        "ConfigFrom": {"Network": str},
        "IPAM": _IPAM,
    },
    "network.connect": {"Container": str, "EndpointConfig": _ENDPOINT},
    "network.disconnect": {"Container": str, "Force": bool},
    "system.auth": _of(str, "username password email serveraddress auth identitytoken registrytoken"),
    "volume.create": {
        **_of(str, "Name Driver"),
        **_of(_TEXTS, "DriverOpts Labels"),
        "ClusterVolumeSpec": {"*": object},
    },
}
"""The body of each operation that has one."""

_NAMES: Mapping[type, str] = {str: "a text", int: "a whole number", bool: "true or false", float: "a number"}


def spelled(value: Any, schema: Schema, place: str = "$") -> Any:
    """The value with the API's spelling of each key.

    Raises RequestError: 400 for what an engine would not take either, 403 for a field that is in no table.
    """
    if value is None or schema is object:
        return value
    if isinstance(schema, tuple):
        return spelled(value, schema[1] if isinstance(value, list) else schema[0], place)
    if isinstance(schema, list):
        if not isinstance(value, list):
            raise _wrong(place, "a list")
        if None in value and not isinstance(schema[0], dict):
            raise _wrong(place, "no null in the list")
        return [spelled(each, schema[0], f"{place}[{at}]") for at, each in enumerate(value)]
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            raise _wrong(place, "an object")
        free = schema.get("*")
        if free is not None:
            return {key: spelled(each, free, f"{place}[{key[:60]!r}]") for key, each in value.items()}
        return _object(value, schema, place)
    if type(value) is not schema:
        raise _wrong(place, _NAMES[schema])
    return value


def _object(value: Mapping[str, Any], schema: Mapping[str, Schema], place: str) -> dict[str, Any]:
    known = {_fold(name): name for name in schema}
    found: dict[str, Any] = {}
    for key, each in value.items():
        name = known.get(_fold(key))
        if name is None:
            raise RequestError(f"{place}.{key[:60]} is no field that a policy knows", status=403)
        if name in found:
            raise RequestError(f"{place}: {key[:60]!r} and another key are one, {name}, to an engine")
        found[name] = spelled(each, schema[name], f"{place}.{name}")
    return found


def _fold(key: str) -> str:
    # as Go does it: without case, and with the two letters beyond ASCII that it takes for s and k
    return key.replace("ſ", "s").replace("\u212a", "k").lower()


def _wrong(place: str, expected: str) -> RequestError:
    return RequestError(f"expected {expected} - at `{place[:200]}`")
