"""Whether a site is reached by TLS, plainly, or both; and with which certificate."""

from __future__ import annotations

from dataclasses import replace

from skep_nginx.model import Certificate, ClientCertificates, Host, Tls
from skep_nginx.rules import Rules
from skep_nginx.wishes import Method, TlsWish

__all__ = ["DEFAULT_CERTIFICATE", "choose_certificate", "fallback", "secure"]

DEFAULT_CERTIFICATE = "default"
"""The name of the certificate for sites that have none of their own."""


def secure(host: Host, wish: TlsWish, rules: Rules) -> tuple[Method, Tls | None]:
    """How a site is reached, and its TLS: None where it has none at all."""
    method = wish.method or rules.method
    if not rules.https or method == "nohttps":
        return "nohttps", None
    certificate = choose_certificate(host, wish, rules)
    clients = _clients(host, wish, rules)
    if (
        certificate is None
        and not clients  # plainly, whoever is to be kept out would come in as soon as a certificate ends
        and method in ("redirect", "nohttp")
        and _or(wish.http_without_certificate, rules.http_without_certificate)
    ):
        method = "noredirect"
    return method, Tls(
        certificate=certificate,
        policy=wish.policy or "",
        hsts="" if method == "noredirect" else rules.hsts if wish.hsts is None else wish.hsts,
        clients=clients,
        http3=certificate is not None and _or(wish.http3, rules.http3),
    )


def fallback(rules: Rules) -> Tls | None:
    """The TLS of hosts that nobody has: with the default certificate, or none."""
    return Tls(rules.certificates.get(DEFAULT_CERTIFICATE)) if rules.https else None


def choose_certificate(host: Host, wish: TlsWish, rules: Rules) -> Certificate | None:
    """The one that the container names, or else the host's own, that of the domain above it, or the default one. None is none."""
    if wish.certificate is not None:
        return rules.certificates.get(wish.certificate.lower())
    names = [host.file.removeprefix("*.")]
    if not host.is_regex and host.count(".") >= 2:
        names.append(host.partition(".")[2])
    if _or(wish.trust_default, rules.trust_default):
        names.append(DEFAULT_CERTIFICATE)
    return next((rules.certificates[name] for name in names if name in rules.certificates), None)


def _clients(host: Host, wish: TlsWish, rules: Rules) -> ClientCertificates | None:
    clients = rules.clients.get(host.file) or rules.clients.get("")
    return replace(clients, verify=wish.verify) if clients and wish.verify else clients


def _or(said: bool | None, otherwise: bool) -> bool:
    return otherwise if said is None else said
