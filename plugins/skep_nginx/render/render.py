"""All parts together, and their generation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from skep_nginx.directives import Directive, Written, prewrite, write
from skep_nginx.model import Proxy, Site
from skep_nginx.render.fallback import BLANK, fallback_server, status_server
from skep_nginx.render.frame import frame
from skep_nginx.render.http import http_lines
from skep_nginx.render.site import site_blocks
from skep_nginx.render.style import Style
from skep_nginx.render.tls import http_tls

__all__ = ["Rendered", "Renderer", "render"]


@dataclass(frozen=True, slots=True)
class Rendered:
    """A configuration, and the generation that it tells when it is live."""

    text: bytes = field(repr=False)
    generation: str


def render(proxy: Proxy, style: Style) -> Rendered:
    """The configuration of these sites. Raises ValueError for what cannot be written."""
    return Renderer().render(proxy, style)


class Renderer:
    """Renders again and again; a site that is the same object as before is not written again."""

    def __init__(self) -> None:
        self._style: Style | None = None
        self._written: dict[int, tuple[Site, Written]] = {}

    def render(self, proxy: Proxy, style: Style) -> Rendered:
        """The configuration of these sites. Raises ValueError for what cannot be written."""
        if style != self._style:
            self._style, self._written = style, {}
        text = write(self._all(proxy, style))
        generation = hashlib.sha256(text + proxy.files.encode()).hexdigest()[: len(BLANK)]
        # With the directive's name and its end, so that no host can look like it.
        return Rendered(text.replace(f"return 200 {BLANK};".encode(), f"return 200 {generation};".encode()), generation)

    def _all(self, proxy: Proxy, style: Style) -> tuple[Directive, ...]:
        self._written = {id(site): self._site(site, style) for site in proxy.sites}
        http = (
            *http_lines(proxy, style),
            *http_tls(proxy, style),
            *fallback_server(
                proxy, style
            ),  # before all others: where nginx has no default server, the first one is that
            status_server(style),
            *(written for _, written in self._written.values()),
        )
        return http if style.prefix is None else frame(http, style, style.prefix)

    def _site(self, site: Site, style: Style) -> tuple[Site, Written]:
        known = self._written.get(id(site))
        if known is not None and known[0] is site:
            return known
        return site, prewrite(site_blocks(site, style), depth=0 if style.prefix is None else 1)
