"""The settings of TLS. Containers may say otherwise of their own sites."""

from __future__ import annotations

from typing import Literal

from skep import PluginSettings
from skep_nginx.model import Listen
from skep_nginx.wishes import Method
from skep_nginx.wishes.tls import parse_hsts, parse_policy

__all__ = ["TlsSettings"]


class TlsSettings(PluginSettings, frozen=True, kw_only=True):
    """Where sites are served by TLS, with which certificates, and what becomes of plain requests."""

    listen: tuple[str, ...] = ()
    """Addresses, such as "0.0.0.0:443"; without any there is no TLS."""
    certificates: str = ""
    """The folder of certificates, NAME.crt and NAME.key; "" is `certificates` in the plugin's own folder."""
    method: Method = "redirect"
    """Plain requests are sent on to TLS, or served too; or a site is served by TLS alone, or plainly alone."""
    non_get_redirect: Literal[301, 302, 303, 307, 308] = 301
    """The status that sends requests on that are no GET or HEAD; after 307 and 308 clients send their body again."""
    hsts: str = "max-age=31536000"
    """The header Strict-Transport-Security; "off" is none."""
    policy: str = "Mozilla-Intermediate"
    """The protocols and ciphers, by the name of a policy of Mozilla or AWS."""
    dhparam: Literal[0, 2048, 3072, 4096] = 4096
    """The bits of the group (RFC 7919) for ciphers with DHE; 0 is none of them. A file `dhparam.pem` beside the certificates stands in its place."""
    trust_default: bool = True
    """Whether the certificate `default` serves sites that have no other."""
    http_without_certificate: bool = True
    """Whether a site without a certificate is served plainly, where it would be sent on to TLS otherwise."""
    http2: bool = True
    """Whether HTTP/2 is spoken."""
    http3: bool = False
    """Whether HTTP/3 is spoken, by an nginx that can."""
    challenges: Literal["true", "false", "legacy"] = "true"
    """Where ACME's challenges are answered: on all plain sites, nowhere, or on those alone that send requests on to TLS."""
    challenges_unknown_host: bool = False
    """Whether they are answered for hosts too that no container names."""

    def __post_init__(self) -> None:
        for text in self.listen:
            Listen.parse(text, tls=True)
        parse_hsts("hsts", self.hsts)
        parse_policy("policy", self.policy)
