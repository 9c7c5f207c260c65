"""The forms of `docker run --publish` and `--expose`."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from skep.cli.docker_flags import csv_fields

__all__ = ["add_port", "expose"]

_PUBLISH = re.compile(
    r"(?:(?:(?P<ip>\[[0-9A-Fa-f:.]+\]|[0-9.]*):)?(?P<public>[0-9-]*):)?(?P<private>[0-9-]+)(?:/(?P<protocol>\w+))?",
    re.ASCII,
)
_RANGE = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)


def add_port(body: dict[str, Any], text: str) -> None:
    """Take up `80`, `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8010:8000-8010`, `published=8080,target=80`. Raises ValueError."""
    if "=" in text:
        text = _short(text)
    match = _PUBLISH.fullmatch(text)
    if match is None:
        raise ValueError("expected [[IP:]PORT:]PORT[/tcp|udp|sctp], such as 8080:80")
    ip = (match["ip"] or "").strip("[]")
    if ip:
        ipaddress.ip_address(ip)
    private = _range(match["private"])
    public = _range(match["public"]) if match["public"] else None
    if public is not None and len(public) != len(private) and len(private) != 1:
        raise ValueError("the ranges differ in length")
    for index, port in enumerate(private):
        key = _key(port, match["protocol"])
        if public is None:
            wanted = ""
        elif len(public) == len(private):
            wanted = str(public[index])
        else:
            wanted = f"{public[0]}-{public[-1]}"
        body.setdefault("ExposedPorts", {})[key] = {}
        bindings = body["HostConfig"].setdefault("PortBindings", {}).setdefault(key, [])
        bindings.append({"HostIp": ip, "HostPort": wanted})


def _short(text: str) -> str:
    """The long form as the short one; what else it may say is the affair of services."""
    fields = csv_fields(text)
    unknown = set(fields) - {"target", "published", "protocol", "mode"}
    if unknown or not fields.get("target"):
        raise ValueError("expected published=PORT,target=PORT,protocol=tcp, of which target must be there")
    published = (fields.get("published") or [""])[0]
    protocol = (fields.get("protocol") or ["tcp"])[0]
    return f"{published}:{fields['target'][0]}/{protocol}"


def expose(body: dict[str, Any], text: str) -> None:
    """Take up `80`, `8000-8010/udp`. Raises ValueError."""
    ports, _, protocol = text.partition("/")
    for port in _range(ports):
        body.setdefault("ExposedPorts", {})[_key(port, protocol)] = {}


def _key(port: int, protocol: str | None) -> str:
    protocol = (protocol or "tcp").lower()
    if protocol not in ("tcp", "udp", "sctp"):
        raise ValueError(f"{protocol!r} is no protocol; there are tcp, udp and sctp")
    return f"{port}/{protocol}"


def _range(text: str) -> range:
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a port")
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last <= 65535:
        raise ValueError(f"{text!r} is not a port, or a range of them (0 to 65535)")
    return range(first, last + 1)
