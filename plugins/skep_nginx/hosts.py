"""Names of sites: text that whoever starts a container chose, so hostile until it is parsed."""

from __future__ import annotations

import re

from skep_nginx.model import Host
from skep_nginx.values import short

__all__ = ["STATUS_HOST", "parse_host", "parse_hosts"]

STATUS_HOST = "skep-nginx-status.invalid"
"""The name under which an nginx in a container tells its generation; nobody else may have it."""

_LONGEST_LIST = 8192
_LONGEST_HOST = 253
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)", re.ASCII)


def parse_hosts(text: str, *, most: int) -> tuple[Host, ...]:
    """A comma separated list of hosts, sorted, each once; empty items are passed over. Raises ValueError."""
    if len(text) > _LONGEST_LIST:
        raise ValueError(f"VIRTUAL_HOST has {len(text)} characters: at most {_LONGEST_LIST} are taken")
    items = {item.strip(" \t") for item in text.split(",")} - {""}
    if len(items) > most:
        raise ValueError(f"VIRTUAL_HOST names {len(items)} hosts: at most {most} are taken from one container")
    return tuple(sorted({parse_host(item) for item in items}))


def parse_host(text: str) -> Host:
    """One host, lower-case: a name (RFC 1123), `*.name`, `name.*`, or an IPv4 address. Raises ValueError."""
    if text.startswith("~"):
        raise _wrong(text, "regular expressions are not taken; list the names, or use *.name or name.*")
    if not text.isascii():
        raise _wrong(text, _punycode(text))
    host = text.lower()
    bare = host
    if host.startswith("*."):
        bare = host[2:]
    elif host.endswith(".*"):
        bare = host[:-2]
    elif host.endswith("."):
        bare = host = host[:-1]
    if len(host) > _LONGEST_HOST:
        raise _wrong(text, f"it has {len(host)} characters, a host name has at most {_LONGEST_HOST}")
    labels = bare.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise _wrong(text, "expected a name such as www.example.com: letters, digits and - between dots")
    if bare == host and labels[-1].isdigit() and not _IPV4.fullmatch(host):
        raise _wrong(text, "its last part is a number, and it is no IPv4 address")
    if host == STATUS_HOST:
        raise _wrong(text, "this name is skep's own")
    return Host(host)


def _wrong(text: str, why: str) -> ValueError:
    return ValueError(f"VIRTUAL_HOST has {short(text)}: {why}")


def _punycode(text: str) -> str:
    try:
        name = text.encode("idna").decode()
    except UnicodeError:
        return "expected a name in ASCII letters"
    return f"expected ASCII; write the name in its encoded form, {short(name)}"
