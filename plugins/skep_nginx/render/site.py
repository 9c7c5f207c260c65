"""Sites: a server, and its upstreams before it."""

from __future__ import annotations

from skep_nginx.directives import Block, Directive, Line
from skep_nginx.model import Site
from skep_nginx.render.fallback import listen_lines
from skep_nginx.render.location import location_block
from skep_nginx.render.style import Style
from skep_nginx.render.tls import redirect_server, site_tls
from skep_nginx.render.upstream import upstream_block

__all__ = ["site_blocks"]


def site_blocks(site: Site, style: Style) -> tuple[Block, ...]:
    """Everything of one site."""
    upstreams = [upstream_block(location.upstream) for location in site.locations if location.upstream]
    return (*upstreams, *redirect_server(site, style), _server(site, style))


def _server(site: Site, style: Style) -> Block:
    body: list[Directive] = [
        *listen_lines(site.listens, style),
        Line("server_name", (site.host,)),
        *site_tls(site, style),
        *map(location_block, site.locations),
    ]
    return Block("server", (), tuple(body))
