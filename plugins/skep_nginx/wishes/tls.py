"""The variables and labels that say how a site is reached by TLS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, cast, get_args

from skep_nginx.model import POLICIES, Verification
from skep_nginx.values import parse_bool, parse_choice, wrong
from skep_nginx.wishes.wish import PREFIX, Method, TlsWish

__all__ = ["NON_GET", "parse_hsts", "parse_policy", "read_tls"]

NON_GET = (301, 302, 303, 307, 308)
"""The statuses of a redirect."""
_CERTIFICATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,249}")
_HSTS = re.compile(r"max-age=(\d{1,10})((?:[ ]*;[ ]*(?:includesubdomains|preload))*)", re.IGNORECASE)


def read_tls(env: Mapping[str, str], labels: Mapping[str, str]) -> TlsWish:
    """All of them. Raises ValueError, naming the variable and what would be right."""

    def label(name: str) -> tuple[str, str]:
        return PREFIX + name, labels.get(PREFIX + name, "")

    def variable(name: str) -> tuple[str, str]:
        return name, env.get(name, "")

    non_get = parse_choice(*label("non-get-redirect"), list(map(str, NON_GET)))
    return TlsWish(
        method=cast("Method | None", parse_choice(*variable("HTTPS_METHOD"), get_args(Method))),
        non_get=int(non_get) if non_get else None,
        hsts=parse_hsts(*variable("HSTS")),
        policy=parse_policy(*variable("SSL_POLICY")),
        certificate=_certificate(*variable("CERT_NAME")),
        http_without_certificate=parse_bool(*variable("ENABLE_HTTP_ON_MISSING_CERT")),
        trust_default=parse_bool(*label("trust-default-cert")),
        acme=_acme(*variable("ACME_HTTP_CHALLENGE_LOCATION")),
        verify=cast("Verification | None", parse_choice(*label("ssl_verify_client"), get_args(Verification))),
        http2=parse_bool(*label("http2.enable")),
        http3=parse_bool(*label("http3.enable")),
    )


def parse_hsts(name: str, text: str) -> str | None:
    """The header's value, or "" for `off`; None for "". Raises ValueError."""
    if not text.strip(" "):
        return None
    if text.strip(" ") == "off":
        return ""
    form = _HSTS.fullmatch(text.strip(" ;")) if len(text) <= 100 else None
    if form is None:
        raise wrong(name, text, "expected off, or for example 'max-age=31536000; includeSubDomains; preload'")
    words = form[2].lower()
    also = [word for word in ("includeSubDomains", "preload") if word.lower() in words]
    return "; ".join([f"max-age={int(form[1])}", *also])


def parse_policy(name: str, text: str) -> str | None:
    """One of the policies that have names; None for "". Raises ValueError."""
    policy = text.strip(" \t")
    if not policy:
        return None
    if policy not in POLICIES:
        raise wrong(name, text, "expected the name of a policy, such as Mozilla-Intermediate")
    return policy


def _certificate(name: str, text: str) -> str | None:
    certificate = text.strip(" \t")
    if not certificate:
        return None
    if not _CERTIFICATE.fullmatch(certificate) or ".." in certificate:
        raise wrong(name, text, "expected a certificate's name, that of its files without .crt and .key")
    return certificate


def _acme(name: str, text: str) -> Literal["true", "false", "legacy"] | None:
    if text.strip(" \t") == "legacy":
        return "legacy"
    said = parse_bool(name, text)
    return None if said is None else "true" if said else "false"
