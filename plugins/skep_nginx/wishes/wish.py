"""What one container asks for, parsed. None is always: nothing said, so another container or the settings say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skep_nginx.model import ROOT, Balance, Host, Path, Protocol, ServerTokens, Verification

__all__ = ["PREFIX", "Method", "PathWish", "SiteWish", "TlsWish", "Wish"]

PREFIX = "com.github.nginx-proxy.nginx-proxy."
"""Of the labels that nginx-proxy knows."""
Method = Literal["redirect", "noredirect", "nohttp", "nohttps"]


@dataclass(frozen=True, slots=True)
class PathWish:
    """A path, and what of the container answers it: `port` None is the one that it exposes."""

    path: Path = ROOT
    port: int | None = None
    protocol: Protocol | None = None
    dest: str | None = None


@dataclass(frozen=True, slots=True)
class SiteWish:
    """A host, and where clients find it if not at the proxy's own ports."""

    host: Host
    paths: tuple[PathWish, ...] = (PathWish(),)
    http_port: int | None = None
    https_port: int | None = None


@dataclass(frozen=True, slots=True)
class TlsWish:
    """How its sites are to be reached by TLS. `hsts` "" is none at all; `acme` is nginx-proxy's true, false and legacy."""

    method: Method | None = None
    non_get: int | None = None
    hsts: str | None = None
    policy: str | None = None
    certificate: str | None = None
    http_without_certificate: bool | None = None
    trust_default: bool | None = None
    acme: Literal["true", "false", "legacy"] | None = None
    verify: Verification | None = None
    http2: bool | None = None
    http3: bool | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """All of it, sites sorted by host. `keepalive` -1 is two connections for each server, 0 none; `owner` is whose the container is."""

    sites: tuple[SiteWish, ...]
    tls: TlsWish = TlsWish()
    root: str | None = None
    internal: bool | None = None
    balance: Balance | None = None
    keepalive: int | None = None
    server_tokens: ServerTokens | None = None
    debug: bool | None = None
    weight: int = 1
    owner: str = ""

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The names of its sites."""
        return tuple(site.host for site in self.sites)

    @property
    def ports(self) -> tuple[int | None, ...]:
        """The container's ports that its paths name, each once, sorted; None first, which is the one that it exposes."""
        found = {path.port for site in self.sites for path in site.paths}
        return tuple(sorted(found, key=lambda port: port or 0))
