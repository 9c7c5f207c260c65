"""The flags of `docker run` and `docker create` that say nothing about where a container may go, and how values are written.

Source: `docker run --help` of Docker's command line, version 28, with its hidden old names.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

__all__ = ["SHORT", "SWITCHES", "UNREAD", "boolean", "csv_fields", "key_values", "nano_cpus", "size", "whole"]

SHORT = {
    "a": "attach", "c": "cpu-shares", "d": "detach", "e": "env", "h": "hostname", "i": "interactive", "l": "label", "m": "memory",
    "p": "publish", "P": "publish-all", "q": "quiet", "t": "tty", "u": "user", "v": "volume", "w": "workdir",
}  # fmt: skip
SWITCHES = {
    "detach": "", "disable-content-trust": "", "init": "HostConfig.Init", "interactive": "OpenStdin", "no-healthcheck": "",
    "oom-kill-disable": "", "privileged": "HostConfig.Privileged", "publish-all": "HostConfig.PublishAllPorts", "quiet": "",
    "read-only": "HostConfig.ReadonlyRootfs", "rm": "HostConfig.AutoRemove", "sig-proxy": "", "tty": "Tty", "use-api-socket": "",
}  # fmt: skip
"""Flags without a value, and what of the body they set."""

_UNREAD = """
add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count cpu-percent
cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpuset-mems detach-keys device device-cgroup-rule device-read-bps device-read-iops
device-write-bps device-write-iops dns dns-opt dns-option dns-search domainname gpus group-add health-cmd health-interval health-retries
health-start-interval health-start-period health-timeout io-maxbandwidth io-maxiops ip ip6 isolation kernel-memory link-local-ip
log-driver log-opt mac-address memory-swap memory-swappiness net-alias network-alias oom-score-adj pids-limit platform pull runtime
security-opt shm-size stop-signal stop-timeout storage-opt sysctl tmpfs ulimit userns volume-driver
"""
UNREAD = frozenset(_UNREAD.split())
"""Flags with a value that is passed over."""

_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
_SIZE = re.compile(r"(.*[\d.]) ?(?:([kmgtp])i?b?|b?)", re.ASCII | re.IGNORECASE)
_FLOAT = re.compile(r"\+?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_BLANKS = " \t\n\v\f\r"


def boolean(text: str) -> bool:
    """A switch's value, as Go writes one. Raises ValueError."""
    if text not in (*_TRUE, *_FALSE):
        raise ValueError("expected true or false")
    return text in _TRUE


def size(text: str) -> int:
    """`512m`, `2g`, `1.5GiB`, in bytes. Raises ValueError."""
    match = _SIZE.fullmatch(text)
    if match is None or not _FLOAT.fullmatch(match[1]) or (number := float(match[1])) >= 2**63:
        raise ValueError("expected a size such as 512m or 2g")
    return int(number * 1024 ** " kmgtp".index((match[2] or " ").lower()))


def whole(text: str) -> int:
    """A whole number, as Go writes one. Raises ValueError."""
    if re.fullmatch(r"[+-]?0[0-7_]+", text):
        return int(text, 8)
    try:
        return int(text, 0)
    except ValueError:
        raise ValueError("expected a whole number") from None


def nano_cpus(text: str) -> int:
    """`1.5` CPUs as billionths. Raises ValueError."""
    try:
        number = Fraction(text) * 10**9
    except (ValueError, ZeroDivisionError):
        raise ValueError("expected a number of CPUs such as 1.5") from None
    if number.denominator != 1 or not 0 <= number < 10**18:
        raise ValueError("expected a number of CPUs with at most nine digits behind the point")
    return int(number)


def csv_fields(text: str) -> dict[str, list[str]]:
    """`key=value,key=value`, keys in lower case; a key alone has no values. Raises ValueError."""
    found: dict[str, list[str]] = {}
    for entry in next(csv.reader([text], strict=True), []):
        key, equals, value = entry.partition("=")
        found.setdefault(key.lower().strip(), []).extend([value] if equals else [])
    return found


def key_values(path: str, *, environment: bool) -> Iterator[str]:
    """The lines of an --env-file or a --label-file; a name alone is left out, but for `environment` where this
    process has it.

    Raises ValueError naming the line.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot read it: {getattr(error, 'strerror', None) or error}") from None
    for number, line in enumerate(text.split("\n"), 1):
        line = line.removesuffix("\r").lstrip(_BLANKS)
        name, equals, value = line.partition("=")
        if not line or line.startswith("#"):
            continue
        if not name or any(blank in name for blank in _BLANKS):
            raise ValueError(f"line {number}: expected NAME=value, its name without blanks")
        if equals:
            yield f"{name}={value}"
        elif environment and name in os.environ:
            yield f"{name}={os.environ[name]}"
