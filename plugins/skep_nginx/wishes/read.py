"""From a container to its wish."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from skep import Container
from skep_nginx.hosts import parse_hosts
from skep_nginx.model import ROOT, ServerTokens
from skep_nginx.values import parse_bool, parse_choice, parse_number, parse_port
from skep_nginx.wishes.balance import parse_balance, parse_keepalive
from skep_nginx.wishes.multiports import NAME, parse_multiports
from skep_nginx.wishes.paths import parse_dest, parse_path, parse_protocol, parse_root
from skep_nginx.wishes.tls import read_tls
from skep_nginx.wishes.wish import PREFIX, PathWish, SiteWish, Wish

__all__ = ["asks", "read_wish"]

_ASKS = ("VIRTUAL_HOST=", f"{NAME}=")
_WEIGHT = "skep.nginx.weight"


def asks(container: Container) -> bool:
    """Whether a container names hosts, rightly or not."""
    return any(entry.startswith(_ASKS) for entry in container.env)


def read_wish(container: Container, *, most_hosts: int, regexes: bool = True, owner_label: str = "") -> Wish | None:
    """What a container asks for; None if it asks for nothing. Raises ValueError, naming the variable and what would be right."""
    if not asks(container):
        return None
    env, labels = container.environment, container.labels
    sites = _sites(env, most_hosts=most_hosts, regexes=regexes)
    if not sites:
        return None
    access = parse_choice("NETWORK_ACCESS", env.get("NETWORK_ACCESS", ""), ("internal", "external"))
    tokens = parse_choice("SERVER_TOKENS", env.get("SERVER_TOKENS", ""), get_args(ServerTokens))
    balance, keepalive, debug = (PREFIX + name for name in ("loadbalance", "keepalive", "debug-endpoint"))
    return Wish(
        sites,
        read_tls(env, labels),
        root=parse_root("VIRTUAL_ROOT", env.get("VIRTUAL_ROOT", "")),
        internal=access == "internal" if access else None,
        balance=parse_balance(balance, labels.get(balance, "")),
        keepalive=parse_keepalive(keepalive, labels.get(keepalive, "")),
        server_tokens=cast("ServerTokens | None", tokens),
        debug=parse_bool(debug, labels.get(debug, "")),
        weight=parse_number(_WEIGHT, labels.get(_WEIGHT, ""), 1, 1000, 10) or 1,
        owner=labels.get(owner_label, "")[:200] if owner_label else "",
    )


def _sites(env: Mapping[str, str], *, most_hosts: int, regexes: bool) -> tuple[SiteWish, ...]:
    if env.get(NAME, "").strip():
        return parse_multiports(env[NAME], most=most_hosts, regexes=regexes)
    path = parse_path("VIRTUAL_PATH", env.get("VIRTUAL_PATH", "")) or ROOT
    paths = (
        PathWish(
            path,
            parse_port("VIRTUAL_PORT", env.get("VIRTUAL_PORT", "")),
            parse_protocol("VIRTUAL_PROTO", env.get("VIRTUAL_PROTO", "")),
            parse_dest("VIRTUAL_DEST", env.get("VIRTUAL_DEST", ""), path),
        ),
    )
    http = parse_port("EXTERNAL_HTTP_PORT", env.get("EXTERNAL_HTTP_PORT", ""))
    https = parse_port("EXTERNAL_HTTPS_PORT", env.get("EXTERNAL_HTTPS_PORT", ""))
    hosts = parse_hosts(env.get("VIRTUAL_HOST", ""), most=most_hosts, regexes=regexes)
    return tuple(SiteWish(host, paths, http, https) for host in hosts)
