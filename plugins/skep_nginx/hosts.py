"""VIRTUAL_HOST and VIRTUAL_PORT: text that whoever starts a container chose, so hostile until it is parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from skep import Container

__all__ = ["STATUS_HOST", "Wish", "parse_host", "parse_hosts", "parse_port", "read_wish"]

STATUS_HOST = "skep-nginx-status.invalid"
"""The name under which an nginx in a container tells its generation; nobody else may have it."""

_LONGEST_LIST = 8192
_LONGEST_HOST = 253
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)", re.ASCII)
_PORT = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a container asks for: its hosts, and its port if it says one."""

    hosts: tuple[str, ...]
    port: int | None


def read_wish(container: Container, *, most_hosts: int) -> Wish | None:
    """What a container asks for; None if it asks for nothing. Raises ValueError, naming the variable and what would be right."""
    if not any(entry.startswith("VIRTUAL_HOST=") for entry in container.env):
        return None
    environment = container.environment
    hosts = parse_hosts(environment["VIRTUAL_HOST"], most=most_hosts)
    return Wish(hosts, parse_port(environment.get("VIRTUAL_PORT", ""))) if hosts else None


def parse_hosts(text: str, *, most: int) -> tuple[str, ...]:
    """A comma separated list of hosts, sorted, each once; empty items are passed over. Raises ValueError."""
    if len(text) > _LONGEST_LIST:
        raise ValueError(f"VIRTUAL_HOST has {len(text)} characters: at most {_LONGEST_LIST} are taken")
    items = {item.strip(" \t") for item in text.split(",")} - {""}
    if len(items) > most:
        raise ValueError(f"VIRTUAL_HOST names {len(items)} hosts: at most {most} are taken from one container")
    return tuple(sorted({parse_host(item) for item in items}))


def parse_host(text: str) -> str:
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
    return host


def parse_port(text: str) -> int | None:
    """A port from 1 to 65535; None for "". Raises ValueError."""
    digits = text.strip(" \t")
    if not digits:
        return None
    if not _PORT.fullmatch(digits) or not 0 < int(digits) < 65536:
        raise ValueError(f"VIRTUAL_PORT is {_short(text)}: expected one number from 1 to 65535, such as 8080")
    return int(digits)


def _wrong(text: str, why: str) -> ValueError:
    return ValueError(f"VIRTUAL_HOST has {_short(text)}: {why}")


def _short(text: str) -> str:
    """Safe to log, whatever it is."""
    return ascii(text if len(text) <= 60 else text[:57] + "...")


def _punycode(text: str) -> str:
    try:
        name = text.encode("idna").decode()
    except UnicodeError:
        return "expected a name in ASCII letters"
    return f"expected ASCII; write the name in its encoded form, {_short(name)}"
