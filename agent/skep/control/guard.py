"""Who may ask: programs, and no web page in some browser on this machine.

A page may send requests to 127.0.0.1; it cannot hide that it did. Its requests carry `Origin` or `Sec-Fetch-Site`; a page that made
its own name resolve to 127.0.0.1 (DNS rebinding) carries that name in `Host`.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from skep.errors import RequestError

__all__ = ["guard"]


def guard(hosts: Collection[str] = ()) -> Middleware:
    """A middleware that refuses browsers (403). `hosts` are names besides this machine's own that clients may call it by."""
    known = {"localhost", socket.gethostname().lower(), *(name.lower() for name in hosts)}

    @web.middleware
    async def refuse_browsers(request: web.Request, handler: Handler) -> web.StreamResponse:
        if "Origin" in request.headers or request.headers.get("Sec-Fetch-Site", "none") != "none":
            raise RequestError("requests of web pages are refused", status=403)
        if _needs_host(request) and not _is_known(request.headers.get("Host", ""), known):
            raise RequestError(
                "this name for the agent is not known to it; use its IP address or host name, TLS, or name it in http.hosts",
                status=403,
            )
        return await handler(request)

    return refuse_browsers


def _needs_host(request: web.Request) -> bool:
    """Whether a rebound name could have led here: not over a unix socket, nor where a certificate proved the name."""
    transport = request.transport
    if transport is None:
        return True
    sock = transport.get_extra_info("socket")
    is_unix = sock is not None and sock.family == socket.AF_UNIX
    return not is_unix and transport.get_extra_info("sslcontext") is None


def _is_known(header: str, known: Collection[str]) -> bool:
    try:
        host = urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return False
    if host in known:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
