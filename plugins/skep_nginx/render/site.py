"""Sites: a server, and its upstreams before it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from skep_nginx.directives import Block, Directive, Line, Ours, Pattern
from skep_nginx.hosts import REGEX_LENGTH
from skep_nginx.model import Answer, Host, Site
from skep_nginx.patterns import bounded
from skep_nginx.render.listens import http2_line, listen_lines
from skep_nginx.render.location import file_name, location_block
from skep_nginx.render.style import Style
from skep_nginx.render.tls import redirect_server, site_tls
from skep_nginx.render.upstream import upstream_block
from skep_nginx.wishes import PATH_LENGTH

__all__ = ["TOO_LONG", "debug_block", "name_line", "site_blocks"]

TOO_LONG = Pattern(rf"(?s)^.{{{PATH_LENGTH + 1}}}")
"""What paths match that regular expressions are not tried on."""

_REQUEST = (
    '{"host":"$host","https":"$https","protocol":"$server_protocol","cipher":"$ssl_cipher","tls":"$ssl_protocol"}'
)


def site_blocks(site: Site, style: Style) -> tuple[Block, ...]:
    """Everything of one site."""
    upstreams = [upstream_block(location.upstream) for location in site.locations if location.upstream]
    return (*upstreams, *redirect_server(site, style), Block("server", (), tuple(_server(site, style))))


def name_line(host: Host) -> Line:
    """A server's name."""
    return Line("server_name", (Pattern("~" + bounded(host[1:], REGEX_LENGTH)) if host.is_regex else host,))


def debug_block(site: Site, style: Style) -> tuple[Block, ...]:
    """The debug endpoint, where the site has one."""
    if not site.debug:
        return ()
    told = {"listen": list(map(str, style.listen)), "unknown_host": style.unknown_host, "trust": style.trust_forwarded}
    text = f'{{"global":{json.dumps(told)},"request":{_REQUEST},"vhost":{site.debug}}}'
    body = (Line("default_type", ("application/json",)), Line("return", ("200", Ours(text))))
    return (Block("location", ("/nginx-proxy-debug",), body),)


def _server(site: Site, style: Style) -> Iterable[Directive]:
    yield from listen_lines(site.listens, style, *(("default_server",) if site.default else ()))
    yield name_line(site.host)
    yield from http2_line(site.http2, style)
    if site.server_tokens:
        yield Line("server_tokens", (site.server_tokens,))
    yield from site_tls(site, style)
    if site.include:
        yield Line("include", (file_name(site.include),))
    yield from debug_block(site, style)
    if any(location.path.is_regex for location in site.locations):
        # On those they are not tried, and who was kept from a path could otherwise get round it by a longer one.
        yield Block("location", ("~", TOO_LONG), (Line("return", ("414",)),))
    yield from map(location_block, site.locations)
    yield from _guards(site)
    if site.root:
        yield Block("location", ("/",), (_answer(site.root),))


def _guards(site: Site) -> Iterable[Block]:
    """Of /x that becomes /y/ towards a container, /x../z would become /y/../z, which is not below /y/ any more."""
    paths = {location.path.text for location in site.locations if not location.path.is_regex}
    for location in site.locations:
        text = location.path.text + ".."
        climbs = (
            location.dest.endswith("/") and not location.path.text.endswith("/") and location.path.match in ("", "^~")
        )
        if climbs and text not in paths and not location.override:
            yield Block("location", ("^~", text), (Line("return", ("404",)),))


def _answer(answer: Answer) -> Line:
    return Line("return", (str(answer.status), *((Ours(answer.text),) if answer.text else ())))
