"""The plugin with TLS, and clients of it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skep.testing import EmbeddedEngine
from skep_nginx.settings import TlsSettings
from tests.plugins.nginx.nginx_certificates import Authority
from tests.plugins.nginx.nginx_tools import Served, ask, free_port, serving


@dataclass(frozen=True)
class Seen:
    """What a client saw of a connection, and of the answer to one request on it. `status` is 0 where there was none."""

    names: tuple[str, ...]
    version: str
    alpn: str
    status: int
    headers: dict[str, str]
    body: str


class Secured:
    """A served plugin, and its port for TLS."""

    def __init__(self, served: Served, https: int, authority: Authority) -> None:
        self.served = served
        self.https = https
        self.authority = authority

    async def get(self, host: str, **how: Any) -> Seen:
        """Shake hands for a host and ask; raises ssl.SSLError or OSError where that is refused."""
        return await asyncio.to_thread(fetch, self.https, host, self.authority, **how)

    async def served_plainly(self, host: str) -> int:
        """The status of a plain request."""
        return (await ask(self.served.port, host))[0]

    async def until(self, host: str, seconds: float = 15.0, status: int = 200, **how: Any) -> Seen:
        """Ask until it is answered so."""
        last: Seen | OSError | None = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        last = seen = await self.get(host, **how)
                        if seen.status == status:
                            return seen
                    except OSError as error:
                        last = error
                    await asyncio.sleep(0.05)
        raise AssertionError(f"{host} is answered with {last!r}, not {status}: {self.served.status}")

    async def until_refused(self, host: str, seconds: float = 15.0, **how: Any) -> ssl.SSLError:
        """Ask until the handshake is refused."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    await self.get(host, **how)
                except ssl.SSLError as error:
                    return error
                await asyncio.sleep(0.05)


def fetch(
    port: int,
    host: str,
    authority: Authority,
    *,
    sni: str | None = "",
    method: str = "GET",
    alpn: tuple[str, ...] = ("http/1.1",),
    most: ssl.TLSVersion | None = None,
    cert: Path | None = None,
    check: bool = True,
    preface: bytes = b"",
    ip: str = "127.0.0.1",
) -> Seen:
    """One request. `most` is the newest version that the client speaks; `cert` its own certificate, `stem.crt` beside `stem.key`."""
    context = ssl.create_default_context(cadata=authority.pem.decode())
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if check else ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    if most is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = min(most, ssl.TLSVersion.TLSv1)
        context.maximum_version = most
    if cert is not None:
        context.load_cert_chain(cert, cert.with_suffix(".key"))
    with socket.create_connection((ip, port), timeout=5) as raw:
        raw.sendall(preface)
        with context.wrap_socket(raw, server_hostname=host if sni == "" else sni) as wrapped:
            shown = wrapped.getpeercert() or {}
            names = tuple(str(entry[1]) for entry in shown.get("subjectAltName", ()) if entry[0] == "DNS")
            wrapped.sendall(f"{method} / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while piece := wrapped.recv(65536):
                answer += piece
            version, spoken = wrapped.version() or "", wrapped.selected_alpn_protocol() or ""
    head, _, body = answer.decode("latin-1").partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Seen(names, version, spoken, int(status.split()[1]) if status else 0, headers, body)


@contextlib.asynccontextmanager
async def securing(
    folder: Path, authority: Authority, *engines: EmbeddedEngine, tls: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Secured]:
    """Run an agent with the plugin, TLS too; certificates are in `folder/certs`."""
    https = free_port()
    own = {"listen": (f"127.0.0.1:{https}",), "certificates": str(folder / "certs"), "dhparam": 2048}
    async with serving(folder, *engines, tls=TlsSettings(**{**own, **(tls or {})}), **settings) as served:
        yield Secured(served, https, authority)
