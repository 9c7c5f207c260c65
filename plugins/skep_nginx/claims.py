"""Whose a host is, and at which ports: whoever had it first, or whom the settings give it to. Others are left out of that host alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from skep_nginx.collect import Backend, Picture, Rejection
from skep_nginx.hosts import covers, parse_host
from skep_nginx.model import Host
from skep_nginx.rules import Rules
from skep_nginx.values import short
from skep_nginx.wishes import SiteWish

__all__ = ["Claims"]


@dataclass(frozen=True, slots=True)
class _Claim:
    """`gone` is since when no container names the host, in seconds since the epoch; 0.0 while one does."""

    owner: str
    gone: float = 0.0


@dataclass
class Claims:
    """`given` are hosts and their owners by the settings; `keep` the seconds that a host stays its owner's without containers."""

    given: Sequence[tuple[Host, str]] = ()
    keep: float = 86400.0
    clock: Callable[[], float] = time.time
    _known: dict[Host, _Claim] = field(default_factory=dict)

    def load(self, text: bytes) -> None:
        """Go on from what `dump` gave. What is no longer right in it is passed over."""
        try:
            entries = json.loads(text)["hosts"].items()
            self._known = {parse_host(host): _Claim(str(owner), float(gone)) for host, (owner, gone) in entries}
        except (ValueError, TypeError, KeyError, AttributeError):
            self._known = {}

    def dump(self) -> bytes:
        """All of it, for the next start."""
        hosts = {host: [claim.owner, claim.gone] for host, claim in sorted(self._known.items())}
        return json.dumps({"hosts": hosts}, indent=1).encode()

    def sift(self, picture: Picture, rules: Rules) -> Picture:
        """The picture without what belongs to somebody else. The oldest container is asked first."""
        rejections = list(picture.rejections)
        known = _Ports(rules)
        named: set[Host] = set()
        kept: dict[str, Backend] = {}
        for backend in sorted(picture.backends, key=lambda each: (each.created, each.node, each.name, each.id)):
            sites = []
            for site in backend.wish.sites:
                by, reason = "owner", self._refusal(site.host, backend.wish.owner)
                if not reason:
                    named.add(site.host)
                    by, reason = "value", known.refusal(site)
                if reason:
                    rejections.append(Rejection(backend.id, backend.name, backend.node, by, reason))  # type: ignore[arg-type]
                else:
                    sites.append(site)
            if len(sites) == len(backend.wish.sites):
                kept[backend.id] = backend
            elif sites:
                kept[backend.id] = replace(backend, wish=replace(backend.wish, sites=tuple(sites)))
        self._forget(named)
        return replace(
            picture,
            backends=tuple(kept[each.id] for each in picture.backends if each.id in kept),
            rejections=tuple(sorted(rejections, key=lambda each: (each.node, each.name, each.id, each.reason))),
        )

    def _refusal(self, host: Host, owner: str) -> str:
        """Why a host is not this owner's; "" where it is, which makes it so."""
        given = next((whose for name, whose in self.given if _overlap(name, host)), None)
        if given is not None:
            return "" if given == owner else _refused(host, owner, f"by the settings it belongs to {short(given)}")
        claim = self._known.get(host)
        if claim is not None and claim.owner != owner:
            return _refused(host, owner, f"it belongs to {_owner(claim.owner)}, who had it first")
        if claim is None:
            for other in self._others(host, owner):
                if _overlap(other, host):
                    whose = _owner(self._known[other].owner)
                    return _refused(host, owner, f"{short(other)} belongs to {whose}, who had it first")
        self._known[host] = _Claim(owner)
        return ""

    def _others(self, host: Host, owner: str) -> Iterable[Host]:
        """The hosts of other owners that could have names in common with this one."""
        plain = not host.is_regex and not host.is_wildcard
        return (
            name
            for name, claim in self._known.items()
            if claim.owner != owner and not (plain and not name.is_regex and not name.is_wildcard)
        )

    def _forget(self, named: set[Host]) -> None:
        now = self.clock()
        for host, claim in list(self._known.items()):
            if host in named:
                continue
            if not claim.gone:
                self._known[host] = replace(claim, gone=now)
            elif not claim.gone <= now < claim.gone + self.keep:
                del self._known[host]


class _Ports:
    """Which ports are plain and which speak TLS: nginx cannot have one that is both."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._kinds = {listen.port: "HTTP" for listen in rules.http} | {listen.port: "TLS" for listen in rules.https}

    def refusal(self, site: SiteWish) -> str:
        """Why a site cannot be at its ports; "" where it can, which makes them of its kind."""
        https = site.https_port if self._rules.https else None
        for name, port, kind in (("EXTERNAL_HTTP_PORT", site.http_port, "HTTP"), ("EXTERNAL_HTTPS_PORT", https, "TLS")):
            if port is None:
                continue
            if not self._rules.may_listen(port):
                return f"{name} is {port}: the settings allow no such port (external_ports)"
            if self._kinds.setdefault(port, kind) != kind:
                return f"{name} is {port}: that port speaks {self._kinds[port]} already"
        return ""


def _overlap(one: Host, other: Host) -> bool:
    return bool(covers(one, (other,)) or covers(other, (one,)))


def _refused(host: Host, owner: str, why: str) -> str:
    return f"the host {short(host)} is refused to {_owner(owner)}: {why}"


def _owner(owner: str) -> str:
    return f"the owner {short(owner)}" if owner else "containers without an owner"
