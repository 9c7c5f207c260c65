"""What nginx is to do, as types. Nothing else can be said: there is no field for a directive or for a piece of text.

Values get in here parsed (`hosts`, `reach`), and out by the one serializer (`render`).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

__all__ = ["Listen", "Location", "Proxy", "Server", "Site", "Upstream"]


@dataclass(frozen=True, slots=True, order=True)
class Listen:
    """An address that nginx listens on."""

    ip: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Read `0.0.0.0:80`, `[::]:80` or `80`. Raises ValueError saying what would be right."""
        host, colon, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        try:
            address = ipaddress.ip_address(bare if colon else "0.0.0.0")
            number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
        except ValueError:
            number = 0
        if not 0 < number < 65536 or (address.version == 6) is not host.startswith("["):
            raise ValueError(f"{text!r} is no address to listen on: expected for example '0.0.0.0:80' or '[::]:80'")
        return cls(str(address), number)

    def __str__(self) -> str:
        return join(self.ip, self.port)


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """Where one container answers: an IP address, v4 or v6, and a TCP port."""

    ip: str
    port: int

    def __str__(self) -> str:
        return join(self.ip, self.port)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Containers that share the requests of one location; at least one, sorted."""

    name: str
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class Location:
    """A path of a site. Without an upstream, nobody is there to answer: 503."""

    path: str
    upstream: Upstream | None


@dataclass(frozen=True, slots=True)
class Site:
    """One host: a name, `*.name` or `name.*`, lower-case."""

    host: str
    locations: tuple[Location, ...]


@dataclass(frozen=True, slots=True)
class Proxy:
    """Everything that nginx serves: its sites, sorted by host."""

    sites: tuple[Site, ...] = ()


def join(ip: str, port: int) -> str:
    """`ip:port` as nginx and people write it."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
