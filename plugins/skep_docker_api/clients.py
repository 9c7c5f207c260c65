"""Who asks: by a certificate, by the kernel's word, or by an address."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from skep import Client

__all__ = ["client_of"]

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


def client_of(request: web.BaseRequest) -> Client:
    """The client behind a request's connection."""
    own = request.get_extra_info("sockname")
    if isinstance(own, str | bytes):
        pid, uid, gid = _peer(request.get_extra_info("socket"))
        path = own if isinstance(own, str) else own.decode(errors="replace")
        return Client(pid=pid, uid=uid, gid=gid, listener=f"unix://{path}")
    certificate: Mapping[str, Any] = request.get_extra_info("peercert") or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return Client(
        name=names[0] if names else "",
        uris=tuple(value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"),
        serial=str(certificate.get("serialNumber", "")).upper().lstrip("0"),
        address=request.remote or "",
        listener=f"tcp://{own[0]}:{own[1]}" if own else "",
    )


def _peer(sock: Any) -> tuple[int | None, int | None, int | None]:
    """Process, user and group of the other end of a unix socket; None where the kernel does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)  # Linux
    if sock is None or option is None:
        return None, None, None
    pid, uid, gid = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _CREDENTIALS.size))
    return pid, uid, gid
