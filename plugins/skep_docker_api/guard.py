"""Keeping web pages out: whoever reaches this API is root on every node, and a browser reaches it for any page it shows."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

from skep import error_response

__all__ = ["guard"]

_log = logging.getLogger("skep.plugins.docker_api")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::\d*)?", re.ASCII)
# What docker's clients say over a unix socket, and through tunnels from there.
_LOCAL = frozenset(("localhost", "docker", "api.moby.localhost"))


def guard(hosts: Collection[str]) -> Middleware:
    """A middleware that answers 403, with the reason, to what a web page can send; `hosts` are names that clients may use.

    Browsers tell by `Origin` or `Sec-Fetch-Site` that a page asks. A page whose own name was made to point here (DNS
    rebinding) shows in `Host`; over TLS it cannot, as no certificate has its name.
    """
    allowed = _LOCAL | {socket.gethostname().lower(), *(host.lower() for host in hosts)}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        reason = _objection(request, allowed)
        if reason is None:
            return await handler(request)
        _log.warning("refused %s %s from %s: %s", request.method, request.path, request.remote or "a socket", reason)
        return error_response(web.HTTPForbidden(text=reason))

    return middleware


def _objection(request: web.Request, allowed: Collection[str]) -> str | None:
    origin, host = request.headers.get("Origin"), request.headers.get("Host", "")
    # docker-py's library for websockets sets it, to where it connects.
    own = request.headers.get("Upgrade", "").lower() == "websocket" and origin in (f"http://{host}", f"https://{host}")
    if origin is not None and not own:
        return f"requests of web pages are refused: this one has the header Origin: {origin[:200]}"
    site = request.headers.get("Sec-Fetch-Site", "none").lower()
    if site != "none":
        return f"requests of web pages are refused: this one has the header Sec-Fetch-Site: {site[:40]}"
    if _is_unix(request) or request.secure or _is_allowed(host, allowed):
        return None
    return (
        f"the host name {host[:200]!r} is refused, as a web page could have made it up: use an address, localhost, "
        "or a name that the setting hosts of the plugin docker_api lists"
    )


def _is_unix(request: web.Request) -> bool:
    name = request.get_extra_info("sockname")
    return isinstance(name, str | bytes)


def _is_allowed(host: str, allowed: Collection[str]) -> bool:
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return not host
    name = match[1] or match[2]
    if not name or name in allowed:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
