"""Whose a host is, and at which ports: whoever had it first, or whom the settings give it to. Others are left out of that host alone."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from skep_nginx.collect import Backend, Picture, Rejection
from skep_nginx.hosts import parse_host
from skep_nginx.limits import Limits
from skep_nginx.model import Host
from skep_nginx.overlap import is_broad, is_within, share_names
from skep_nginx.rules import Rules
from skep_nginx.values import short

__all__ = ["Claims"]

_MOST_GONE = 10_000
"""Hosts without containers that are remembered; of more, those that are gone for longest are forgotten before their time."""


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
    _patterns: set[Host] = field(default_factory=set)

    def load(self, text: bytes) -> str:
        """Go on from what `dump` gave. What is not right in it is passed over; the answer is what that was, "" for nothing."""
        try:
            entries = json.loads(text)["hosts"].items()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            return f"whose hosts are is not known any more, it is damaged: {short(str(error))}"
        wrong: list[str] = []
        for name, entry in entries:
            try:
                owner, gone = entry
                self._claim(parse_host(name), str(owner), _time(gone))
            except (ValueError, TypeError) as error:
                wrong.append(f"whose the host {short(name)} is is not known any more: {short(str(error))}")
        return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")

    def dump(self) -> bytes:
        """All of it, for the next start."""
        hosts = {host: [claim.owner, claim.gone] for host, claim in sorted(self._known.items())}
        return json.dumps({"hosts": hosts}, indent=1).encode()

    def sift(self, picture: Picture, rules: Rules) -> Picture:
        """The picture without what belongs to somebody else. The oldest container is asked first."""
        rejections = list(picture.rejections)
        self._forget(self._still(picture.backends))  # first, so that the next owner need not wait for another look
        limits = Limits(rules)
        named: set[Host] = set()
        kept: dict[str, Backend] = {}
        for backend in sorted(picture.backends, key=lambda each: (each.created, each.node, each.name, each.id)):
            sites = []
            for site in backend.wish.sites:
                by, reason = "owner", self._refusal(site.host, backend.wish.owner)
                if not reason:
                    named.add(site.host)
                    by, reason = "value", limits.refusal(site)
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

    def _still(self, backends: Iterable[Backend]) -> set[Host]:
        """The hosts that containers of their owners name."""
        asked = ((site.host, backend.wish.owner) for backend in backends for site in backend.wish.sites)
        return {host for host, owner in asked if host in self._known and self._known[host].owner == owner}

    def _refusal(self, host: Host, owner: str) -> str:
        """Why a host is not this owner's; "" where it is, which makes it so."""
        if whose := self._given(host, owner):
            return "" if whose == owner else _refused(host, owner, f"by the settings it belongs to {short(whose)}")
        claim = self._known.get(host)
        if claim is not None and claim.owner != owner:
            return _refused(host, owner, f"it belongs to {_owner(claim.owner)}, who had it first")
        if claim is None:
            for other in self._others(host, owner):
                if share_names(other, host) and (is_broad(host) or not is_broad(other)):
                    whose = _owner(self._known[other].owner)
                    return _refused(host, owner, f"{short(other)} belongs to {whose}, who had it first")
        self._claim(host, owner)
        return ""

    def _given(self, host: Host, owner: str) -> str:
        """Whose it is by the settings, the longest name that it is within says; or who else has a part of it; "" for nobody."""
        within = [(len(name), whose) for name, whose in self.given if is_within(host, name)]
        if within:
            return max(within)[1]
        return next((whose for name, whose in self.given if whose != owner and share_names(name, host)), "")

    def _claim(self, host: Host, owner: str, gone: float = 0.0) -> None:
        self._known[host] = _Claim(owner, gone)
        if host.is_pattern:
            self._patterns.add(host)

    def _others(self, host: Host, owner: str) -> Iterable[Host]:
        """The hosts of other owners that could have names in common with this one."""
        among = self._known if host.is_pattern else self._patterns
        return (name for name in among if self._known[name].owner != owner)

    def _forget(self, named: set[Host]) -> None:
        now = self.clock()
        # A clock that was set back must not make hosts anybody's, nor one that was ahead keep them for ever.
        since = ((min(claim.gone or now, now), host) for host, claim in self._known.items() if host not in named)
        gone = sorted((when, host) for when, host in since if now < when + self.keep)
        gone = gone[-_MOST_GONE:]
        kept = {host: claim for host, claim in self._known.items() if host in named}
        self._known = kept | {host: replace(self._known[host], gone=since) for since, host in gone}
        self._patterns = {host for host in self._known if host.is_pattern}


def _time(value: object) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise ValueError("expected seconds since the epoch")
    return float(value)


def _refused(host: Host, owner: str, why: str) -> str:
    return f"the host {short(host)} is refused to {_owner(owner)}: {why}"


def _owner(owner: str) -> str:
    return f"the owner {short(owner)}" if owner else "containers without an owner"
