"""What the settings and the operator's files say of sites; containers may say otherwise where they are allowed to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from skep_nginx.files import Files
from skep_nginx.model import Answer, Certificate, ClientCertificates, Listen
from skep_nginx.wishes import Method

__all__ = ["Acme", "Rules"]

Acme = Literal["true", "false", "legacy"]


@dataclass(frozen=True, slots=True)
class Rules:
    """`http` and `https`: where sites are served, plainly and by TLS. `external_ports`: other ports that containers may ask for, as
    ranges. `certificates` are by name; `clients` the authorities of client certificates, by a site's name, "" for all sites.
    `https_redirect_port`: the port of redirects to TLS, 0 for that of `https`.
    """

    http: tuple[Listen, ...] = (Listen("0.0.0.0", 80),)
    https: tuple[Listen, ...] = ()
    external_ports: tuple[tuple[int, int], ...] = ()
    default_host: str = ""
    default_root: Answer | None = None
    method: Method = "redirect"
    non_get: int = 301
    hsts: str = "max-age=31536000"
    trust_default: bool = True
    http_without_certificate: bool = True
    acme: Acme = "true"
    http2: bool = True
    http3: bool = False
    hashed_names: bool = False
    debug: bool = False
    files: Files = field(default_factory=Files)
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    clients: Mapping[str, ClientCertificates] = field(default_factory=dict)

    def may_listen(self, port: int) -> bool:
        """Whether a container may have its site served at `port`."""
        own = {listen.port for listen in (*self.http, *self.https)}
        return port in own or any(first <= port <= last for first, last in self.external_ports)
