"""What is said of TLS: for all sites, and for one."""

from __future__ import annotations

from skep_nginx.directives import Block, Directive
from skep_nginx.model import Proxy, Site
from skep_nginx.render.style import Style

__all__ = ["http_tls", "redirect_server", "site_tls"]


def http_tls(proxy: Proxy, style: Style) -> tuple[Directive, ...]:
    """For all sites, in `http { }`."""
    return ()


def site_tls(site: Site, style: Style) -> tuple[Directive, ...]:
    """For one site, in its `server { }`."""
    return ()


def redirect_server(site: Site, style: Style) -> tuple[Block, ...]:
    """The server that sends plain requests on to TLS, where the site has one."""
    return ()
