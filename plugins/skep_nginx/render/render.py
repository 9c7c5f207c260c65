"""All parts together, and their generation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from skep_nginx.directives import Directive, write
from skep_nginx.model import Proxy
from skep_nginx.render.fallback import BLANK, fallback_server, status_server
from skep_nginx.render.frame import frame
from skep_nginx.render.http import http_lines
from skep_nginx.render.site import site_blocks
from skep_nginx.render.style import Style
from skep_nginx.render.tls import http_tls

__all__ = ["Rendered", "render"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A configuration, and the generation that it tells when it is live."""

    text: bytes = field(repr=False)
    generation: str


def render(proxy: Proxy, style: Style) -> Rendered:
    """The configuration of these sites. Raises ValueError for what cannot be written."""
    text = write(_all(proxy, style))
    generation = hashlib.sha256(text).hexdigest()[: len(BLANK)]
    # With the directive's name and its end, so that no host can look like it.
    return Rendered(text.replace(f"return 200 {BLANK};".encode(), f"return 200 {generation};".encode()), generation)


def _all(proxy: Proxy, style: Style) -> tuple[Directive, ...]:
    http = (
        *http_lines(proxy, style),
        *http_tls(proxy, style),
        fallback_server(proxy, style),  # before all others: where nginx has no default server, the first one is that
        status_server(style),
        *(part for site in proxy.sites for part in site_blocks(site, style)),
    )
    return http if style.prefix is None else frame(http, style, style.prefix)
