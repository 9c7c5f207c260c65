"""Upstreams: the containers behind a location."""

from __future__ import annotations

from skep_nginx.directives import Block, Line, Ours
from skep_nginx.model import Balance, Server, Upstream

__all__ = ["upstream_block"]

_METHODS = {
    "least_conn": ("least_conn",),
    "ip_hash": ("ip_hash",),
    "random": ("random",),
    "random_two": ("random", "two", "least_conn"),
}


def upstream_block(upstream: Upstream) -> Block:
    """The servers, after how they share requests and before the connections that are kept to them."""
    keepalive = (Line("keepalive", (str(upstream.keepalive),)),) if upstream.keepalive else ()
    return Block(
        "upstream", (upstream.name,), (*_balance(upstream.balance), *map(_server, upstream.servers), *keepalive)
    )


def _balance(balance: Balance) -> tuple[Line, ...]:
    if balance.method in ("hash", "hash_consistent"):
        consistent = ("consistent",) if balance.method == "hash_consistent" else ()
        return (Line("hash", (Ours("".join(balance.keys)), *consistent)),)
    words = _METHODS.get(balance.method)
    return (Line(words[0], words[1:]),) if words else ()


def _server(server: Server) -> Line:
    # A container that does not listen yet is left alone for nginx's default of 10 s otherwise; dead ones leave the configuration.
    weight = (f"weight={server.weight}",) if server.weight != 1 else ()
    return Line("server", (str(server), *weight, "fail_timeout=1s"))
