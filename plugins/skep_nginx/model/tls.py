"""How a site speaks TLS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Certificate", "ClientCertificates", "Tls", "Verification"]

Verification = Literal["on", "optional", "optional_no_ca"]


@dataclass(frozen=True, slots=True, order=True)
class Certificate:
    """Files of one certificate, as nginx opens them; "" where there is none.

    `chain` is for OCSP stapling. `version` changes with the files' contents, so that a renewed certificate is a new configuration.
    """

    name: str
    certificate: str
    key: str
    chain: str = ""
    dhparam: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class ClientCertificates:
    """Whom a site lets in by TLS: files of the authorities and of what they revoked, as nginx opens them."""

    ca: str
    crl: str = ""
    verify: Verification = "on"


@dataclass(frozen=True, slots=True)
class Tls:
    """`certificate` None refuses the handshake. `policy` is the name of one, "" the proxy's own. `hsts` is the header's value, "" none."""

    certificate: Certificate | None = None
    policy: str = ""
    hsts: str = ""
    clients: ClientCertificates | None = None
    http2: bool = True
    http3: bool = False
