"""From a container to its wish."""

from __future__ import annotations

from skep import Container
from skep_nginx.hosts import parse_hosts
from skep_nginx.values import parse_port
from skep_nginx.wishes.wish import PathWish, SiteWish, Wish

__all__ = ["read_wish"]


def read_wish(container: Container, *, most_hosts: int) -> Wish | None:
    """What a container asks for; None if it asks for nothing. Raises ValueError, naming the variable and what would be right."""
    if not any(entry.startswith("VIRTUAL_HOST=") for entry in container.env):
        return None
    environment = container.environment
    hosts = parse_hosts(environment["VIRTUAL_HOST"], most=most_hosts)
    paths = (PathWish(port=parse_port("VIRTUAL_PORT", environment.get("VIRTUAL_PORT", ""))),)
    return Wish(tuple(SiteWish(host, paths) for host in hosts)) if hosts else None
