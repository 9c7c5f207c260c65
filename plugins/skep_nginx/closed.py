"""Ports of hosts that no container is reached at, whatever it says: those of the agent, of engines, of nginx, and of `closed_ports`.

A container in its host's network names any port of its host by VIRTUAL_PORT, so that nginx would show the world what is meant for the host
alone; and nginx would ask itself, again and again.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from skep import ClusterState, Container
from skep_nginx.model import Listen

__all__ = ["Ranges", "closed_ports", "ports_at_home", "published_ports"]

Ranges = tuple[tuple[int, int], ...]


def closed_ports(ranges: Ranges, urls: Iterable[str], state: ClusterState) -> Ranges:
    """Those of the settings, those that the agent itself listens on, and those of the engines."""
    addresses = (*urls, *(node.node.address for node in state.nodes))
    return tuple(sorted({*ranges, *((port, port) for port in map(_port, addresses) if port)}))


def ports_at_home(listens: Iterable[Listen]) -> frozenset[int]:
    """Where nginx itself answers at 127.0.0.1."""
    return frozenset(listen.port for listen in listens if listen.ip in ("127.0.0.1", "0.0.0.0", "::"))


def published_ports(container: Container) -> frozenset[int]:
    """Where an nginx in a container answers at its host's addresses."""
    return frozenset(port.public for port in container.ports if port.public and port.protocol == "tcp")


def _port(address: str) -> int:
    try:
        return urlsplit(address if "://" in address else f"tcp://{address}").port or 0
    except ValueError:
        return 0
