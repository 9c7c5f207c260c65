"""Names of sites: text that whoever starts a container chose, so hostile until it is parsed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from skep_nginx.model import Host
from skep_nginx.patterns import check_pattern, compile_pattern
from skep_nginx.values import short

__all__ = ["REGEX_EFFORT", "REGEX_LENGTH", "STATUS_HOST", "covers", "parse_host", "parse_hosts"]

STATUS_HOST = "skep-nginx-status.invalid"
"""The name under which an nginx in a container tells its generation; nobody else may have it."""
REGEX_LENGTH = 128
"""The longest name of a request that a regular expression is tried on."""
REGEX_EFFORT = 400_000
"""Of one regular expression, in ways of trying it; three repetitions after each other are 350,000, which take nginx some milliseconds."""

_LONGEST_LIST = 8192
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)", re.ASCII)
_DIGEST = re.compile(r"(?:^|-)[0-9a-f]{40}$")  # ends the names of upstreams
_LONGEST_NAME = 253
_ANYBODY = ("q7.zz-probe.invalid", "k--9.elsewhere.test", "localhost")  # a pattern of all these is one of everything


def parse_hosts(text: str, *, most: int, regexes: bool = True) -> tuple[Host, ...]:
    """A comma separated list of hosts, sorted, each once; empty items are passed over. Raises ValueError."""
    if len(text) > _LONGEST_LIST:
        raise ValueError(f"VIRTUAL_HOST has {len(text)} characters: at most {_LONGEST_LIST} are taken")
    items = {item.strip(" \t") for item in text.split(",")} - {""}
    if len(items) > most:
        raise ValueError(f"VIRTUAL_HOST names {len(items)} hosts: at most {most} are taken from one container")
    return tuple(sorted({parse_host(item, regexes=regexes) for item in items}))


def parse_host(text: str, *, regexes: bool = True) -> Host:
    """One host, lower-case: a name, `*.name`, `name.*`, an address, `~` and a regular expression. Raises ValueError."""
    if text.startswith("~"):
        return _parse_regex(text, regexes=regexes)
    if not text.isascii():
        raise _wrong(text, _punycode(text))
    host = text.lower()
    if host.startswith("["):
        return _parse_ipv6(text, host)
    bare = host
    if host.startswith("*."):
        bare = host[2:]
    elif host.endswith(".*"):
        bare = host[:-2]
    elif host.endswith("."):
        bare = host = host[:-1]
    if len(host) > _LONGEST_NAME:
        raise _wrong(text, f"it has {len(host)} characters, a host name has at most {_LONGEST_NAME}")
    labels = bare.split(".")
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise _wrong(text, "expected a name such as www.example.com: letters, digits, - and _ between dots")
    if bare == host and labels[-1].isdigit() and not _IPV4.fullmatch(host):
        raise _wrong(text, "its last part is a number, and it is no IPv4 address")
    if host == STATUS_HOST or _DIGEST.search(host):
        raise _wrong(text, "this name is skep's own")
    return Host(host)


def covers(host: Host, names: Iterable[str]) -> str:
    """The first of `names` that requests for would come to `host` if nobody else had it; "" for none. A name covers itself."""
    if host.is_regex:
        pattern = compile_pattern(host[1:], ignore_case=True)
        return next((name for name in names if pattern.search(name)), "")
    if host.startswith("*."):
        return next((name for name in names if name == host or name.endswith(host[1:])), "")
    if host.endswith(".*"):
        return next((name for name in names if name == host or name.startswith(host[:-1])), "")
    return next((name for name in names if name == host), "")


def _parse_regex(text: str, *, regexes: bool) -> Host:
    if not regexes:
        raise _wrong(text, "the settings take no regular expressions; list the names, or use *.name or name.*")
    try:
        check_pattern(text[1:], longest=REGEX_LENGTH, most=REGEX_EFFORT)
    except ValueError as error:
        raise _wrong(text, str(error)) from None
    pattern = compile_pattern(text[1:], ignore_case=True)
    if all(pattern.search(name) for name in _ANYBODY):
        raise _wrong(text, "it matches every name; the setting default_host says whose the unknown hosts are")
    return Host(text)


def _parse_ipv6(text: str, host: str) -> Host:
    try:
        if not host.endswith("]") or "%" in host:
            raise ValueError
        return Host(f"[{ipaddress.IPv6Address(host[1:-1])}]")
    except ValueError:
        raise _wrong(text, "expected an IPv6 address such as [2001:db8::1]") from None


def _wrong(text: str, why: str) -> ValueError:
    return ValueError(f"VIRTUAL_HOST has {short(text)}: {why}")


def _punycode(text: str) -> str:
    try:
        name = text.encode("idna").decode()
    except UnicodeError:
        return "expected a name in ASCII letters"
    return f"expected ASCII; write the name in its encoded form, {short(name)}"
