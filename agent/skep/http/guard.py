"""Keeping web pages out: whoever reaches these servers commands the cluster, and a browser reaches them for any page that it shows.

Programs may ask, and no page in some browser on this machine. Browsers say by `Origin` or `Sec-Fetch-Site` that a page asks. A page whose
own name was made to point here (DNS rebinding) shows in `Host`. Over TLS it cannot get so far, as no certificate has its name, and over a
unix socket no page can ask.
"""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from collections.abc import Awaitable, Callable, Collection

from aiohttp import web
from aiohttp.typedefs import Middleware

from skep.http.errors import error_response

__all__ = ["refuse_browsers"]

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HOST = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*))(?::\d*)?", re.ASCII)


def refuse_browsers(hosts: Collection[str], setting: str) -> Middleware:
    """A middleware for aiohttp that answers 403, with the reason, to what a web page can send; each refusal is logged.

    hosts: names besides `localhost` and this machine's own that clients may call the server by; IP addresses always count.
    setting: where an operator names more of them, for the reason (`http.hosts`).
    """
    allowed = {"localhost", socket.gethostname().lower(), *(host.lower() for host in hosts)}

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        reason = _objection(request, allowed, setting)
        if not reason:
            return await handler(request)
        _log.warning(
            "refused %s %s from %s: %s", request.method, request.rel_url.raw_path, request.remote or "a socket", reason
        )
        return error_response(web.HTTPForbidden(text=reason))

    return middleware


def _objection(request: web.Request, allowed: Collection[str], setting: str) -> str:
    origin, host = request.headers.get("Origin"), request.headers.get("Host")
    # docker-py's library for websockets sets it, to where it connects.
    own = request.headers.get("Upgrade", "").lower() == "websocket" and origin in (f"http://{host}", f"https://{host}")
    if origin is not None and not own:
        return f"requests of web pages are refused: this one has the header Origin: {origin[:200]}"
    site = request.headers.get("Sec-Fetch-Site", "none").lower()
    if site != "none":
        return f"requests of web pages are refused: this one has the header Sec-Fetch-Site: {site[:40]}"
    # Without the header it comes from a program, such as a load balancer's check in HTTP/1.0.
    if host is None or _is_unix(request) or request.secure or _is_allowed(host, allowed):
        return ""
    return (
        f"the host name {host[:200]!r} is refused, as a web page could have made it up: use an address, localhost, "
        f"TLS, or a name that the setting {setting} lists"
    )


def _is_unix(request: web.Request) -> bool:
    return isinstance(request.get_extra_info("sockname"), str | bytes)


def _is_allowed(host: str, allowed: Collection[str]) -> bool:
    match = _HOST.fullmatch(host.lower())
    name = (match[1] or match[2] or "") if match is not None else ""
    if name in allowed:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
