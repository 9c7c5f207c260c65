"""What is mounted into containers: directories of the host, volumes, memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from skep_policy.case import Case, Finding, Findings
from skep_policy.images import check_image, pinned
from skep_policy.settings import is_plain_path

__all__ = ["check_mounts", "check_volume", "check_volumes_from"]

_VOLUME = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_.-]*/)?[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_MODES = frozenset(("", "ro", "rw", "z", "Z", "nocopy", "rprivate", "private", "consistent", "cached", "delegated"))
_MEMORY = re.compile(r"(?:size|uid|gid|mode|nr_inodes)=[0-9a-zA-Z%]+|ro|rw|noexec|exec|nosuid|nodev|noatime", re.ASCII)
_KERNEL = ("/proc", "/sys", "/dev")
_SHARED = ("/dev/shm", "/dev/mqueue")  # noqa: S108 - of a container


def check_mounts(case: Case) -> Findings:
    """All that a create request mounts. Named volumes of clients that have a label of their own become mounts that carry it."""
    host, kept = case.host, []
    for text in host.get("Binds") or ():
        source, target, mode = _bind(text)
        if source.startswith("/"):
            yield from _check_bind(case, source, target, "Binds", writes="ro" not in mode)
        else:
            yield from _check_named(case, source, target, "Binds")
        if not mode <= _MODES:
            yield Finding(f"Binds: {text[:200]}: the options {', '.join(sorted(mode - _MODES))[:80]} are not allowed")
        if case.rule.owner and not source.startswith("/") and source:
            mount = {"Type": "volume", "Source": source, "Target": target, "ReadOnly": "ro" in mode}
            mount["VolumeOptions"] = {"NoCopy": "nocopy" in mode}
            host["Mounts"] = [*(host.get("Mounts") or ()), mount]
        else:
            kept.append(text)
    if host.get("Binds"):
        host["Binds"] = kept
    for mount in host.get("Mounts") or ():
        yield from _check_mount(case, mount or {})
    for target, options in (host.get("Tmpfs") or {}).items():
        yield from _check_target(target, "Tmpfs")
        yield from _check_memory((options or "").split(","), "Tmpfs")
    for target in case.body.get("Volumes") or {}:
        yield from _check_target(target.partition(":")[0], "Volumes")
        if ":" in target:
            yield Finding(f"Volumes: {target[:100]}: expected a path of the container alone")
    if (host.get("VolumeDriver") or "local") != "local":
        yield Finding("HostConfig.VolumeDriver: other drivers than local are not allowed")


def _bind(text: str) -> tuple[str, str, frozenset[str]]:
    source, colon, rest = text.partition(":")
    if not colon:
        return "", source, frozenset()
    target, _, mode = rest.partition(":")
    return source, target, frozenset(mode.split(","))


def _check_bind(case: Case, source: str, target: str, where: str, *, writes: bool) -> Findings:
    """Exactly the paths that the rule has: below one of them a container could have put a symbolic link to somewhere else."""
    allowed = case.rule.binds
    if source not in allowed and not (f"{source}:ro" in allowed and not writes):
        hint = ", for reading alone" if f"{source}:ro" in allowed else ""
        grant = ("binds", source if writes else f"{source}:ro") if is_plain_path(source) else None
        yield Finding(f"{where}: the host's {source[:200]} may not be mounted{hint and ' but'}{hint}", grant=grant)
    yield from _check_target(target, where)


def _check_named(case: Case, source: str, target: str, where: str) -> Findings:
    if source and not _VOLUME.fullmatch(source):
        yield Finding(f"{where}: {source[:100]!r} is no volume's name")
    elif source and case.state is not None and case.rule.owner:
        name = source.rpartition("/")[2]
        if any(v.name == name and not case.rule.owns(v.labels) for node in case.state.nodes for v in node.volumes):
            yield Finding(f"{where}: the volume {source[:100]} is not yours", None)
    yield from _check_target(target, where)


def _check_target(target: str, where: str) -> Findings:
    parts = [part for part in target.split("/") if part not in ("", ".")]
    path = "/" + "/".join(parts)
    inside = any(path == each or path.startswith(f"{each}/") for each in _KERNEL)
    if ".." in parts or path == "/" or (inside and path not in _SHARED):
        yield Finding(f"{where}: nothing may be mounted at {target[:200] or '(nowhere)'}")


def _check_memory(options: list[str], where: str) -> Findings:
    for option in options:
        if option and not _MEMORY.fullmatch(option):
            yield Finding(f"{where}: the option {option[:60]} is not allowed")


def _check_mount(case: Case, mount: dict[str, Any]) -> Findings:
    kind, source, target = mount.get("Type") or "", mount.get("Source") or "", mount.get("Target") or ""
    options = mount.get("BindOptions") or {}
    if (options.get("Propagation") or "rprivate") not in ("rprivate", "private"):
        yield Finding("Mounts: mounts may not be shared with the host (Propagation)")
    if kind == "bind":
        writes = not mount.get("ReadOnly")
        yield from _check_bind(case, source, target, "Mounts", writes=writes)
        for field in ("CreateMountpoint", "ReadOnlyNonRecursive"):
            if options.get(field):
                yield Finding(f"Mounts: BindOptions.{field} is not allowed")
    elif kind == "volume":
        yield from _check_named(case, source, target, "Mounts")
        given = mount.get("VolumeOptions") or {}
        yield from _check_driver(given.get("DriverConfig") or {}, "Mounts")
        yield from case.labels(given.get("Labels"), "Mounts")
        if ".." in (given.get("Subpath") or "").split("/"):
            yield Finding("Mounts: VolumeOptions.Subpath leaves the volume")
        if case.rule.owner:
            mount["VolumeOptions"] = {**given, "Labels": case.owned(given.get("Labels"))}
    elif kind == "tmpfs":
        yield from _check_target(target, "Mounts")
        for option in (mount.get("TmpfsOptions") or {}).get("Options") or ():
            yield from _check_memory(["=".join(option or ())], "Mounts")
    elif kind == "image":
        yield from check_image(case, source, "Mounts")
        if case.rule.images and source:
            mount["Source"] = pinned(source)
        yield from _check_target(target, "Mounts")
    else:
        yield Finding(f"Mounts: the type {kind[:40]!r} is not allowed")


def _check_driver(driver: Mapping[str, Any], where: str) -> Findings:
    if (driver.get("Name") or "local") != "local":
        yield Finding(f"{where}: other volume drivers than local are not allowed")
    options = driver.get("Options") or {}
    for key in options:
        if key not in ("type", "device", "o"):
            yield Finding(f"{where}: the driver's option {key[:60]} is not allowed")
    if options and (options.get("type") != "tmpfs" or options.get("device") != "tmpfs"):
        yield Finding(
            f"{where}: a volume may be of memory (type=tmpfs, device=tmpfs), and of nothing else that is mounted"
        )
    yield from _check_memory((options.get("o") or "").split(","), where)


def check_volume(case: Case) -> Findings:
    """`POST /volumes/create`."""
    body = case.body
    yield from _check_driver({"Name": body.get("Driver"), "Options": body.get("DriverOpts")}, "DriverOpts")
    yield from case.labels(body.get("Labels"), "Labels")
    if body.get("ClusterVolumeSpec"):
        yield Finding("ClusterVolumeSpec is not allowed")
    if body.get("Name"):
        yield from _check_named(case, body["Name"], "/data", "Name")
    if case.rule.owner:
        body["Labels"] = case.owned(body.get("Labels"))


def check_volumes_from(case: Case) -> Findings:
    """What comes with another container's volumes is mounted too."""
    for entry in case.host.get("VolumesFrom") or ():
        reference = entry.partition(":")[0]
        found = case.mine(reference)
        if found is None:
            yield Finding(
                f"VolumesFrom: there is no container {reference[:100]} of yours",
                None if case.rule.owner else "privileged",
            )
            continue
        for mount in found.mounts:
            if mount.type == "bind":
                yield from _check_bind(case, mount.source, mount.destination, "VolumesFrom", writes=mount.rw)
