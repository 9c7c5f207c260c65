"""Locations: the paths of a site."""

from __future__ import annotations

from skep_nginx.directives import Block, Directive, Line
from skep_nginx.model import Location

__all__ = ["location_block"]


def location_block(location: Location) -> Block:
    """A path: who may come, and where requests go."""
    path = location.path
    words = (path.match, path.text) if path.match else (path.text,)
    return Block("location", words, _answer(location))


def _answer(location: Location) -> tuple[Directive, ...]:
    upstream = location.upstream
    if upstream is None:
        return (Line("return", ("503",)),)
    return (Line("proxy_pass", (f"http://{upstream.name}",)),)
