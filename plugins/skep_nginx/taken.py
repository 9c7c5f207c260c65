"""Ports that somebody else has: `nginx -t` says nothing of them, the reload fails after seconds, and that must not be everybody's.

So the ports that containers ask for are tried here first; where that says nothing, nginx's own complaint does.
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from skep_nginx.collect import Backend
from skep_nginx.model import Listen
from skep_nginx.rules import Rules

__all__ = ["asks_for_ports", "find_taken", "listens_in", "suspects"]

_BIND = re.compile(r"bind\(\) to (?P<address>(?:[0-9.]+|\[[0-9a-f:.]+\]):(?P<port>\d+)) failed")
_LISTEN = re.compile(rb"^\s*listen ([0-9a-f.:\[\]]+)", re.MULTILINE)


def asks_for_ports(backend: Backend) -> bool:
    """Whether it asks for a port of its own."""
    return any(site.http_port is not None or site.https_port is not None for site in backend.wish.sites)


def listens_in(text: bytes) -> frozenset[str]:
    """The addresses that a configuration of ours listens on."""
    return frozenset(address.decode() for address in _LISTEN.findall(text))


def find_taken(backends: Iterable[Backend], rules: Rules, held: Collection[str]) -> Mapping[Backend, str]:
    """Those whose own ports another program listens on, and the reason; `held` are addresses that nginx has itself. Blocks, shortly."""
    known: dict[Listen, bool] = {}
    found: dict[Backend, str] = {}
    for backend in backends:
        for listen in _own_listens(backend, rules):
            if str(listen) in held:
                continue
            if listen not in known:
                known[listen] = _is_taken(listen)
            if known[listen]:
                found[backend] = f"another program listens on {listen}: it comes in when that one is gone"
                break
    return found


def _own_listens(backend: Backend, rules: Rules) -> Iterable[Listen]:
    """The addresses that are its own wish, not the settings'."""
    own = {*rules.http, *rules.https}
    for site in backend.wish.sites:
        for listens, port in ((rules.http, site.http_port), (rules.https, site.https_port)):
            if port is not None:
                yield from (moved for each in listens if (moved := replace(each, port=port)) not in own)


def _is_taken(listen: Listen) -> bool:
    """As nginx would find it: it binds with SO_REUSEADDR, and IPv6 apart from IPv4."""
    is_v6 = ":" in listen.ip
    try:
        with socket.socket(socket.AF_INET6 if is_v6 else socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if is_v6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((listen.ip, listen.port))
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


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
