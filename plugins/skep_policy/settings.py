"""The settings: rules by client, the log, and learning."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from skep import Client, PluginSettings
from skep_policy.operations import OPERATIONS, SETS, is_operation

__all__ = ["PROFILES", "PolicySettings", "Profile", "Rule"]

Profile = Literal["privileged", "baseline", "restricted"]
PROFILES: tuple[Profile, ...] = ("restricted", "baseline", "privileged")
"""From the strictest on."""

_USER = re.compile(r"[1-9][0-9]{0,9}(:[1-9][0-9]{0,9})?", re.ASCII)
_PORTS = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_KINDS = ("uid", "gid", "ip")


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """What some clients may do."""

    clients: tuple[str, ...]
    """Whom it is for: names of certificates (`alice`, `ci-*`), their URIs (`spiffe://prod/*`), `uid:1000`, `gid:999`, `ip:10.0.0.0/8`."""
    allow: tuple[str, ...] = ("read-only",)
    """Sets (`read-only`, `operate`, `run`, `build`, `all`) and single operations (`container.logs`)."""
    profile: Profile = "restricted"
    """What containers may be: `privileged` (anything), `baseline` (no way out of the container), `restricted` (and nobody's root)."""
    owner: str = ""
    """`key=value`: this label is set on what the clients create, and they see and touch nothing that lacks it. "" is everything."""
    images: tuple[str, ...] = ()
    """Images that may be used, as patterns of whole names (`registry.example/ci/*`, `docker.io/library/redis:7`); none is any."""
    nodes: tuple[str, ...] = ()
    """Nodes where containers may be put and touched, as patterns; none is any."""
    binds: tuple[str, ...] = ()
    """Directories of the host that may be mounted, exactly these; `/srv/data:ro` for reading alone."""
    capabilities: tuple[str, ...] = ()
    """Capabilities that may be added besides the profile's (`NET_ADMIN`)."""
    sysctls: tuple[str, ...] = ()
    """Sysctls that may be set besides the profile's."""
    ports: tuple[str, ...] = ()
    """Ports of the host that may be published (`8080`, `9000-9999`), besides those that engines choose."""
    lookups: tuple[str, ...] = ()
    """What containers may ask the plugin envfile for with `from:…`, as patterns (`stack==prod-*`); what has a `?` in full."""
    user: str = "65534:65534"
    """Under `restricted`: whom a container runs as that says nothing, in numbers."""

    def __post_init__(self) -> None:
        if not self.clients or "" in self.clients:
            raise ValueError('clients: expected whom the rule is for, such as ["ci-*"]')
        for client in self.clients:
            _check_client(client)
        for name in self.allow:
            if not is_operation(name):
                raise ValueError(f"allow: {name!r} is none of {', '.join(SETS)}, nor one of {', '.join(OPERATIONS)}")
        if self.owner and not all(self.owner.partition("=")):
            raise ValueError(f"owner: {self.owner!r} is no label, such as tenant=alice")
        for path in self.binds:
            if not is_plain_path(path.removesuffix(":ro")):
                raise ValueError(
                    f"binds: {path!r} is no absolute path without . and .., such as /srv/data or /srv/data:ro"
                )
        for text in self.ports:
            if not _port_range(text):
                raise ValueError(f"ports: {text!r} is neither a port nor a range such as 8000-8999")
        if not _USER.fullmatch(self.user):
            raise ValueError(f"user: {self.user!r} is no user in numbers who is not root, such as 1000:1000")

    @cached_property
    def operations(self) -> frozenset[str]:
        """All that it allows."""
        return frozenset().union(*(SETS.get(name, {name}) for name in self.allow), _ALWAYS)

    @cached_property
    def label(self) -> tuple[str, str]:
        """Key and value of `owner`; ("", "") without."""
        key, _, value = self.owner.partition("=")
        return key, value

    @property
    def is_unlimited(self) -> bool:
        """Whether bodies need no look."""
        return self.profile == "privileged" and not (self.owner or self.images or self.nodes)

    def owns(self, labels: Mapping[str, str] | None) -> bool:
        """Whether the clients see and touch what has these labels."""
        key, value = self.label
        return not key or (labels or {}).get(key) == value

    def publishes(self, port: int) -> bool:
        """Whether a port of the host may be named."""
        return any(each[0] <= port <= each[1] for each in map(_port_range, self.ports) if each)

    def looks_up(self, text: str) -> bool:
        """Whether an entry `from:TEXT` may be asked; further properties could ask for something else than the pattern says."""
        return text in self.lookups or ("?" not in text and any(fnmatchcase(text, each) for each in self.lookups))

    def is_for(self, client: Client) -> bool:
        """Whether it is for that client."""
        return any(_fits(pattern, client) for pattern in self.clients)


_ALWAYS = frozenset(("system.ping", "system.version"))


class PolicySettings(PluginSettings, frozen=True, kw_only=True):
    """Who may do what through the Docker API."""

    rules: Mapping[str, Rule] = {}
    """Rules by name; the first one that is for a client counts. Who has none is refused."""
    mode: Literal["enforce", "learn"] = "enforce"
    """`learn`: allow everything and find out which rules would have; `skep policy learned` shows them."""
    revoked: tuple[str, ...] = ()
    """Serial numbers of certificates, in hexadecimal, that are refused whatever the rules say."""
    audit: str = ""
    """The file that gets a line of JSON for each changing call; "" is none."""
    audit_bytes: Annotated[int, Meta(ge=2**16)] = 2**26
    """At this size it becomes `FILE.1`, in place of an older one, and a new one is begun."""
    audit_sync: bool = False
    """Wait until each line is on the disk."""
    audit_required: bool = False
    """Refuse changing calls while the file cannot be written."""

    def rule_for(self, client: Client) -> tuple[str, Rule] | None:
        """The rule that counts for a client, with its name; None where there is none, or its certificate is revoked."""
        if client.serial and client.serial in {each.upper().replace(":", "").lstrip("0") for each in self.revoked}:
            return None
        return next(((name, rule) for name, rule in self.rules.items() if rule.is_for(client)), None)


def is_plain_path(path: str) -> bool:
    """Whether a path is absolute and has neither `.` nor `..` nor empty parts."""
    return (
        path.startswith("/") and (path == "/" or {"", ".", ".."}.isdisjoint(path[1:].split("/"))) and "\0" not in path
    )


def _port_range(text: str) -> tuple[int, int] | None:
    match = _PORTS.fullmatch(text)
    if match is None:
        return None
    low, high = int(match[1]), int(match[2] or match[1])
    return (low, high) if 0 < low <= high < 65536 else None


def _check_client(pattern: str) -> None:
    kind, _, rest = pattern.partition(":")
    if kind in ("uid", "gid") and not (rest.isascii() and rest.isdigit()):
        raise ValueError(f"clients: {pattern!r}: expected a number, such as {kind}:1000")
    if kind == "ip":
        try:
            ipaddress.ip_network(rest)
        except ValueError as error:
            raise ValueError(f"clients: {pattern!r}: {error}") from None


def _fits(pattern: str, client: Client) -> bool:
    """Each kind is compared with its like alone: a certificate may say `uid:0` of itself, and is nobody by that."""
    kind, _, rest = pattern.partition(":")
    if kind == "uid":
        return client.uid == int(rest)
    if kind == "gid":
        return client.gid == int(rest)
    if kind == "ip":
        return bool(client.address) and _is_in(client.address, rest)
    if "://" in pattern:
        return any(fnmatchcase(uri, pattern) for uri in client.uris)
    return (
        bool(client.name)
        and not client.name.startswith(tuple(f"{kind}:" for kind in _KINDS))
        and fnmatchcase(client.name, pattern)
    )


def _is_in(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]) in ipaddress.ip_network(network)
    except ValueError:
        return False
