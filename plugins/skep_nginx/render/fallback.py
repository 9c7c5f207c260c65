"""The servers that are no site: for unknown hosts, and for the generation."""

from __future__ import annotations

from collections.abc import Iterable

from skep_nginx.directives import Block, Directive, Line
from skep_nginx.hosts import STATUS_HOST
from skep_nginx.model import Listen, Proxy
from skep_nginx.render.style import Style

__all__ = ["BLANK", "fallback_server", "listen_lines", "status_server"]

BLANK = "0" * 16
"""Where the generation goes."""


def listen_lines(listens: Iterable[Listen], style: Style, *words: str) -> tuple[Line, ...]:
    """Where a server listens."""
    protocol = ("proxy_protocol",) if style.proxy_protocol else ()
    return tuple(Line("listen", (str(listen), *words, *(() if listen.quic else protocol))) for listen in listens)


def status_server(style: Style) -> Block:
    """Where nginx tells its generation."""
    body: list[Directive] = [
        *([Line("listen", (f"unix:{style.status}",))] if style.status else listen_lines(style.listen, style)),
        Line("server_name", (STATUS_HOST,)),
        Line("access_log", ("off",)),
        Line("default_type", ("text/plain",)),
        Block("location", ("=", "/generation"), (Line("return", ("200", BLANK)),)),
        Block("location", ("/",), (Line("return", ("404",)),)),
    ]
    return Block("server", (), tuple(body))


def fallback_server(proxy: Proxy, style: Style) -> Block:
    """Who asks for a host that nobody has: at each address that any site is served at, or the site there would get it."""
    own = {(listen.ip, listen.port) for listen in style.listen}
    sites = [listen for site in proxy.sites for listen in site.listens if not listen.tls]
    more = sorted({listen for listen in sites if (listen.ip, listen.port) not in own})
    taken = {listen for site in proxy.sites if site.default for listen in site.listens}
    lines = [
        line
        for listen in (*style.listen, *more)
        for line in listen_lines(
            [listen], style, *(("default_server",) if style.default_server and listen not in taken else ())
        )
    ]
    answer = Block("location", ("/",), (Line("return", (str(style.unknown_host),)),))
    return Block("server", (), (*lines, Line("server_name", ("_",)), answer))
