"""Ports that somebody else has: `nginx -t` says nothing of them, the reload fails, and that must not be everybody's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from skep_nginx.collect import Backend
from skep_nginx.rules import Rules

__all__ = ["suspects"]

_BIND = re.compile(r"bind\(\) to (?P<address>(?:[0-9.]+|\[[0-9a-f:.]+\]):(?P<port>\d+)) failed")


def suspects(complaint: str, asked: Iterable[Backend], live: Iterable[Backend], rules: Rules) -> list[Backend]:
    """Those of `asked` whose own ports keep nginx from taking them: at the address that it complains of; or, where it tells us nothing, all
    that want a port that none of `live` has. None where it complains of something else, or of an address of the settings.
    """
    if not complaint:
        return _at(
            {port for each in asked for port in _ports(each)} - {p for each in live for p in _ports(each)}, asked
        )
    found = _BIND.search(complaint)
    own = {str(listen) for listen in (*rules.http, *rules.https)}
    if found is None or found["address"] in own:
        return []
    return _at({int(found["port"])}, asked)


def _at(ports: Collection[int], backends: Iterable[Backend]) -> list[Backend]:
    return [each for each in backends if not _ports(each).isdisjoint(ports)]


def _ports(backend: Backend) -> set[int]:
    return {port for site in backend.wish.sites for port in (site.http_port, site.https_port) if port is not None}
