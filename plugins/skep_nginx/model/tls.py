"""How a site speaks TLS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["POLICIES", "Certificate", "ClientCertificates", "Tls", "Verification"]

Verification = Literal["on", "off", "optional", "optional_no_ca"]
POLICIES = (
    *("Mozilla-Modern", "Mozilla-Intermediate", "Mozilla-Old"),
    *("AWS-TLS13-1-3-2021-06", "AWS-TLS13-1-2-2021-06", "AWS-TLS13-1-2-Res-2021-06", "AWS-TLS13-1-2-Ext1-2021-06"),
    *("AWS-TLS13-1-2-Ext2-2021-06", "AWS-TLS13-1-1-2021-06", "AWS-TLS13-1-0-2021-06"),
    *("AWS-FS-1-2-Res-2020-10", "AWS-FS-1-2-Res-2019-08", "AWS-FS-1-2-2019-08", "AWS-FS-1-1-2019-08", "AWS-FS-2018-06"),
    *("AWS-TLS-1-2-Ext-2018-06", "AWS-TLS-1-2-2017-01", "AWS-TLS-1-1-2017-01"),
    *("AWS-2016-08", "AWS-2015-05", "AWS-2015-03", "AWS-2015-02"),
)
"""The names of the policies that a site may choose from."""


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
    http3: bool = False
