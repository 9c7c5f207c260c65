"""Where nginx listens, and where containers answer."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

__all__ = ["Listen", "Server", "join"]


@dataclass(frozen=True, slots=True, order=True)
class Listen:
    """An address that nginx listens on: by TLS, or by QUIC (UDP, which is HTTP/3 and always encrypted), or plainly."""

    ip: str
    port: int
    tls: bool = False
    quic: bool = False

    @classmethod
    def parse(cls, text: str, *, tls: bool = False) -> Listen:
        """Read `0.0.0.0:80`, `[::]:80` or `80`. Raises ValueError saying what would be right."""
        host, colon, port = text.rpartition(":")
        bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
        try:
            address = ipaddress.ip_address(bare if colon else "0.0.0.0")
            number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else 0
        except ValueError:
            number = 0
        if not 0 < number < 65536 or "%" in bare or (address.version == 6) is not host.startswith("["):
            raise ValueError(f"{text!r} is no address to listen on: expected for example '0.0.0.0:80' or '[::]:80'")
        return cls(str(address), number, tls)

    def __str__(self) -> str:
        return join(self.ip, self.port)


@dataclass(frozen=True, slots=True, order=True)
class Server:
    """Where one container answers: an IP address, v4 or v6, and a TCP port; and its share of the requests."""

    ip: str
    port: int
    weight: int = 1

    def __str__(self) -> str:
        return join(self.ip, self.port)


def join(ip: str, port: int) -> str:
    """`ip:port` as nginx and people write it."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
