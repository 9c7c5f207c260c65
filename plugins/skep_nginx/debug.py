"""What the debug endpoint tells of a site, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skep_nginx.model import Site

if TYPE_CHECKING:
    from skep_nginx.collect import Backend
    from skep_nginx.wishes import Method, SiteWish

__all__ = ["describe_site"]

_LONGEST = 2500  # characters; nginx reads words of up to 4,096 bytes, and quoting makes them longer


def describe_site(site: Site, method: Method, parts: Iterable[tuple[Backend, SiteWish]]) -> str:
    """One object, ASCII; without its paths where it would be too long for nginx."""
    tls = site.tls
    told: dict[str, Any] = {
        "hostname": "a regular expression" if site.host.is_regex else site.host,
        "default": site.default,
        "https_method": method,
        "cert": tls.certificate.name if tls and tls.certificate else "",
        "cert_ok": bool(tls and tls.certificate),
        "hsts": tls.hsts if tls else "",
        "http2_enabled": site.http2,
        "http3_enabled": bool(tls and tls.http3),
    }
    paths: dict[str, dict[str, list[str]]] = {}
    for backend, part in parts:
        for wish in part.paths:
            ports = paths.setdefault(str(wish.path), {})
            ports.setdefault("default" if wish.port is None else str(wish.port), []).append(backend.name)
    text = _dump({**told, "paths": paths})
    return text if len(text) <= _LONGEST else _dump({**told, "warning": "too long, so without its paths"})


def _dump(told: dict[str, Any]) -> str:
    # nginx would read a dollar as the beginning of a variable
    return json.dumps(told, separators=(",", ":")).replace("$", "\\u0024")
