"""The servers that are no site: for unknown hosts, and for the generation."""

from __future__ import annotations

from skep_nginx.directives import Block, Directive, Line
from skep_nginx.hosts import STATUS_HOST
from skep_nginx.model import Proxy
from skep_nginx.render.listens import http2_line, listen_lines
from skep_nginx.render.style import Style
from skep_nginx.render.tls import challenge_block, fallback_tls

__all__ = ["BLANK", "fallback_server", "status_server"]

BLANK = "0" * 16
"""Where the generation goes."""


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


def fallback_server(proxy: Proxy, style: Style) -> tuple[Block, ...]:
    """Who asks for a host that nobody has: at each address that any site is served at, or the site there would get it."""
    served = {
        listen for site in proxy.sites for listen in (*site.listens, *(site.redirect.listens if site.redirect else ()))
    }
    more = sorted(listen for listen in served if not listen.tls and listen not in style.listen)
    taken = {
        listen
        for site in proxy.sites
        if site.default
        for listen in (*site.listens, *(site.redirect.listens if site.redirect else ()))
    }
    lines = [
        line
        for listen in (*style.listen, *more)
        for line in listen_lines(
            [listen], style, *(("default_server",) if style.default_server and listen not in taken else ())
        )
    ]
    challenges = challenge_block(style) if style.challenges_unknown_host else ()
    answer = Block("location", ("/",), (Line("return", (str(style.unknown_host),)),))
    plain = Block(
        "server", (), (*lines, Line("server_name", ("_",)), *http2_line(style.http2, style), *challenges, answer)
    )
    return plain, *fallback_tls(proxy, style)
