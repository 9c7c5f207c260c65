"""How a container meets its host: what the profiles let a create or an update request ask for.

Source: the Kubernetes Pod Security Standards, in the words of Docker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skep_policy.case import Case, Finding, Findings

__all__ = ["check_host", "check_resources", "check_user"]

_CAPABILITIES = frozenset(
    [
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    ]
)
_SYSCTLS = frozenset(
    [
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
    ]
)
_SECURITY = frozenset(
    [
        "no-new-privileges",
        "no-new-privileges:true",
        "no-new-privileges=true",
        "apparmor=docker-default",
        "apparmor:docker-default",
        "seccomp=builtin",
    ]
)
_NO_NEW = frozenset(("no-new-privileges", "no-new-privileges:true", "no-new-privileges=true"))
_LOGS = frozenset(("", "json-file", "local", "none"))
_LOG_OPTIONS = frozenset(
    ["compress", "env", "env-regex", "labels", "labels-regex", "max-buffer-size", "max-file", "max-size", "mode", "tag"]
)
_OWN_HOST: Mapping[str, frozenset[str]] = {
    "PidMode": frozenset(("", "private")),
    "IpcMode": frozenset(("", "none", "private", "shareable")),
    "UTSMode": frozenset(("",)),
    "UsernsMode": frozenset(("",)),
    "CgroupnsMode": frozenset(("", "private")),
    "Cgroup": frozenset(("",)),
    "Runtime": frozenset(("", "runc")),
    "Isolation": frozenset(("", "default")),
}


def check_host(case: Case) -> Findings:
    """`HostConfig` but for mounts and networks; `restricted` puts in what is missing."""
    host = case.host
    if host.get("Privileged"):
        yield Finding("HostConfig.Privileged is not allowed")
    yield from _check_capabilities(case, host)
    for option in host.get("SecurityOpt") or ():
        if option not in _SECURITY:
            yield Finding(f"HostConfig.SecurityOpt: {option[:80]} is not allowed")
    for field, allowed in _OWN_HOST.items():
        mode = host.get(field) or ""
        if mode not in allowed and not (field in ("PidMode", "IpcMode") and _joins_own(case, mode)):
            yield Finding(f"HostConfig.{field}: {mode[:80]} is not allowed")
    for key in host.get("Sysctls") or {}:
        if key not in _SYSCTLS and key not in case.rule.sysctls:
            yield Finding(f"HostConfig.Sysctls: {key[:80]} is not allowed", grant=("sysctls", key))
    for field in ("MaskedPaths", "ReadonlyPaths"):
        if host.get(field) is not None:
            yield Finding(f"HostConfig.{field} is not allowed: what is masked stays masked")
    for field in ("Annotations", "StorageOpt"):
        if set(host.get(field) or ()) - ({"size"} if field == "StorageOpt" else set()):
            yield Finding(f"HostConfig.{field} is not allowed")
    if (host.get("OomScoreAdj") or 0) < 0:
        yield Finding("HostConfig.OomScoreAdj: below 0 is not allowed")
    log = host.get("LogConfig") or {}
    if (log.get("Type") or "") not in _LOGS:
        yield Finding(f"HostConfig.LogConfig: the driver {log['Type'][:60]} is not allowed")
    for key in sorted(
        set(log.get("Config") or ()) - _LOG_OPTIONS
    ):  # where no driver is named, they are the engine's default one's
        yield Finding(f"HostConfig.LogConfig: the option {key[:60]} is not allowed")
    yield from check_resources(host, "HostConfig.")
    if case.is_under("restricted"):
        yield from _restrict(case, host)


def check_resources(host: Mapping[str, Any], where: str = "") -> Findings:
    """What `docker update` changes too."""
    for field in ("Devices", "DeviceCgroupRules", "DeviceRequests"):
        if host.get(field):
            yield Finding(f"{where}{field} is not allowed")
    for field in ("CgroupParent", "OomKillDisable", "CpuRealtimePeriod", "CpuRealtimeRuntime"):
        if host.get(field):
            yield Finding(f"{where}{field} is not allowed")


def _check_capabilities(case: Case, host: Mapping[str, Any]) -> Findings:
    allowed = {"NET_BIND_SERVICE"} if case.is_under("restricted") else _CAPABILITIES
    for name in host.get("CapAdd") or ():
        bare = name.upper().removeprefix("CAP_")
        if bare not in allowed and bare not in case.rule.capabilities:
            least = {"least": "baseline"} if bare in _CAPABILITIES else {"grant": ("capabilities", bare)}
            yield Finding(f"HostConfig.CapAdd: {name[:60]} is not allowed", **least)


def _joins_own(case: Case, mode: str) -> bool:
    """Whether it is a namespace of a container that is surely of the same rule."""
    return mode.startswith("container:") and case.mine(mode[10:]) is not None


def _restrict(case: Case, host: dict[str, Any]) -> Findings:
    """Nobody's root, without capabilities, and no way to more."""
    user = case.body.get("User")
    drops = {str(name).upper() for name in host.get("CapDrop") or ()}
    if case.learning and (not user or "ALL" not in drops):
        yield Finding("runs as the image says, with docker's capabilities", "baseline")
    case.body["User"] = user or case.rule.user
    yield from check_user(case.body["User"], "User")
    host["CapDrop"] = ["ALL"]
    if not _NO_NEW & set(host.get("SecurityOpt") or ()):
        host["SecurityOpt"] = [*(host.get("SecurityOpt") or ()), "no-new-privileges"]
    for group in host.get("GroupAdd") or ():
        if not _is_id(group):
            yield Finding(
                f"HostConfig.GroupAdd: expected the number of a group that is not root's, got {group[:60]}", "baseline"
            )


def check_user(user: str, where: str) -> Findings:
    """By numbers alone: what a name stands for is in the image."""
    name, colon, group = user.partition(":")
    if not _is_id(name) or (colon and not _is_id(group)):
        yield Finding(
            f"{where}: expected a user in numbers who is not root, such as 1000:1000, got {user[:60]}", "baseline"
        )


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and not text.startswith("0")
