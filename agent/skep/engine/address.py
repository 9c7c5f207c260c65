"""Where an engine listens: `unix:///path`, `tcp://host:port`, `host:port`, `http://…`, `https://…`, as docker's own `-H` takes them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from skep.errors import SettingsError

__all__ = ["Address"]

_RIGHT = "unix:///path/to/docker.sock, tcp://host:2375, or host:2375 (IPv6 in brackets: tcp://[::1]:2375)"
_TCP = re.compile(
    r"(?:(?P<scheme>tcp|http|https)://)?(?P<host>\[[^\]]*\]|[^:/\[\]]*)(?::(?P<port>[^/]*))?/?", re.ASCII
)
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?", re.ASCII)
_MAX_UNIX_PATH = 107  # bytes in sockaddr_un, less the closing NUL


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed engine address. `path` is set for unix sockets, else `host` (without brackets) and `port` are."""

    text: str
    path: str | None = None
    host: str = ""
    port: int = 0
    secure: bool = False

    @classmethod
    def parse(cls, text: str, *, secure: bool = False) -> Address:
        """Parse an engine's address; `secure` says that TLS is configured (`https://` implies it). Without I/O.

        `tcp://host` without a port means docker's own ports: 2375, or 2376 with TLS. Raises SettingsError saying what is right.
        """
        if text.startswith("unix://"):
            return _parse_unix(text, secure=secure)
        match = _TCP.fullmatch(text)
        if match is None:
            raise _wrong(text, _complaint(text))
        scheme, bracketed, port = match["scheme"], match["host"], match["port"]
        if scheme == "http" and secure:
            raise _wrong(text, "TLS is configured for it, but http:// is plain; write https:// or tcp://")
        if scheme is None and port is None:
            raise _wrong(text, "the port is missing")
        secure = secure or scheme == "https"
        host = _parse_host(text, bracketed)
        number = _parse_port(text, port) if port is not None else 2376 if secure else 2375
        canonical = f"tcp://{bracketed}:{number}"
        return cls(canonical, host=host, port=number, secure=secure)

    @property
    def origin(self) -> str:
        """Scheme and authority of this engine's URLs, without a slash at the end."""
        if self.path is not None:
            return "http://docker"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return self.origin.partition("://")[2]


def _parse_unix(text: str, *, secure: bool) -> Address:
    path = text.removeprefix("unix://")
    if not path.startswith("/"):
        raise _wrong(
            text, "the path of a unix socket must be absolute, so three slashes: unix:///var/run/docker.sock"
        )
    if "\0" in path or len(path.encode()) > _MAX_UNIX_PATH:
        raise _wrong(text, f"the path of a unix socket has at most {_MAX_UNIX_PATH} bytes")
    if secure:
        raise _wrong(text, "TLS is configured for it, but a unix socket has none; leave the TLS settings out")
    return Address(text, path=path)


def _parse_host(text: str, bracketed: str) -> str:
    if bracketed.startswith("["):
        host = bracketed[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise _wrong(text, f"{host!r} is not an IPv6 address") from None
        return host
    if not _HOST_NAME.fullmatch(bracketed):
        raise _wrong(text, f"{bracketed!r} is not a host name" if bracketed else "the host is missing")
    return bracketed


def _parse_port(text: str, port: str) -> int:
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise _wrong(text, f"{port!r} is not a port (1 to 65535)")
    return int(port)


def _complaint(text: str) -> str:
    if not text:
        return "it is empty"
    scheme, separator, _ = text.partition("://")
    if separator and scheme not in {"tcp", "http", "https"}:
        return f"{scheme}:// is not supported"
    if text.startswith("/"):
        return f"a path needs its scheme: unix://{text}"
    if text.count(":") > 2:
        return "an IPv6 address must stand in brackets"
    return "it is not of the form host:port"


def _wrong(text: str, complaint: str) -> SettingsError:
    shown = text if len(text) <= 120 else text[:117] + "..."
    return SettingsError(f"engine address {shown!r}: {complaint}. Right would be {_RIGHT}")
