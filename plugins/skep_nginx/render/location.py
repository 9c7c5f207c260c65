"""Locations: the paths of a site."""

from __future__ import annotations

import re
from collections.abc import Iterable

from skep_nginx.directives import Block, Directive, Line, Pattern
from skep_nginx.model import Location, Path, Upstream
from skep_nginx.patterns import bounded
from skep_nginx.wishes import PATH_LENGTH

__all__ = ["file_name", "location_block"]

_PRIVATE = ("127.0.0.0/8", "10.0.0.0/8", "192.168.0.0/16", "172.16.0.0/12", "::1", "fc00::/7")
_GLOB = re.compile(r"([*?\[\]\\])")


def location_block(location: Location) -> Block | Line:
    """A path: who may come, and where requests go; or the operator's own file."""
    if location.override:
        return Line("include", (file_name(location.override),))
    return Block("location", _words(location.path), tuple(_body(location)))


def file_name(path: str) -> str:
    """A path as `include` takes it, which would look for many files otherwise."""
    return _GLOB.sub(r"\\\1", path)


def _words(path: Path) -> tuple[str, ...]:
    if path.is_regex:
        return path.match, Pattern(bounded(path.text, PATH_LENGTH))
    return (path.match, path.text) if path.match else (path.text,)


def _body(location: Location) -> Iterable[Directive]:
    if location.internal:
        yield from (Line("allow", (network,)) for network in _PRIVATE)
        yield Line("deny", ("all",))
    if location.auth:
        yield Line("auth_basic", (location.auth.realm,))
        yield Line("auth_basic_user_file", (location.auth.file,))
    if location.upstream is None:
        yield Line("return", ("503",))
        return
    yield from _pass(location, location.upstream)
    if location.include:
        yield Line("include", (file_name(location.include),))


def _pass(location: Location, upstream: Upstream) -> Iterable[Directive]:
    protocol = location.protocol
    if protocol == "fastcgi":
        yield Line("root", (location.root,))
        yield Line("fastcgi_pass", (upstream.name,))
        yield Line("fastcgi_keep_conn", ("on" if upstream.keepalive else "off",))
    elif protocol == "uwsgi":
        yield Line("uwsgi_pass", (f"uwsgi://{upstream.name}",))
    elif protocol in ("grpc", "grpcs"):
        yield Line("grpc_pass", (f"{protocol}://{upstream.name}",))
    else:
        yield Line("proxy_pass", (f"{protocol}://{upstream.name}{location.dest}",))
