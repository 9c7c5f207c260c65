"""From containers to the model: pure and deterministic. Where containers of a site disagree, the oldest that says anything is followed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from skep_nginx.collect import Backend
from skep_nginx.model import Host, Listen, Location, Path, Proxy, Server, Site, Upstream

__all__ = ["Rules", "build"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings and the operator's files say of all sites."""

    listen: tuple[Listen, ...] = (Listen("0.0.0.0", 80),)


def build(backends: Iterable[Backend], rules: Rules) -> Proxy:
    """The sites of these containers; a host without servers stays known, and answers 503."""
    servers: dict[Host, set[Server]] = {}
    for backend in backends:
        for host in backend.hosts:
            servers.setdefault(host, set()).update(server for _, server in backend.servers)
    return Proxy(tuple(_site(host, servers[host], rules) for host in sorted(servers)))


def _site(host: Host, servers: set[Server], rules: Rules) -> Site:
    upstream = Upstream(str(host), tuple(sorted(servers)), keepalive=2 * len(servers)) if servers else None
    return Site(host, rules.listen, (Location(Path(), upstream),))
