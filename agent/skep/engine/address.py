"""Where an engine listens, or a server of ours: the forms that docker's own `-H` takes."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from skep.errors import SettingsError

__all__ = ["Address"]

_ENGINE_FORMS = "unix:///path/to/docker.sock, tcp://host:2375 or host:2375 (IPv6 in brackets: tcp://[::1]:2375)"
_LISTEN_FORMS = "unix:///path/to/file.sock, tcp://127.0.0.1:2375 or :2375 (IPv6 in brackets: tcp://[::1]:2375)"
_TCP = re.compile(r"(?:(?P<scheme>tcp|http|https)://)?(?P<host>\[[^\]]*\]|[^:/\[\]]*)(?::(?P<port>[^/]*))?/?", re.ASCII)
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_.])?", re.ASCII)
_MAX_UNIX_PATH = 107  # bytes in sockaddr_un, less the closing NUL


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address. `path` is set for unix sockets, else `host` (without brackets) and `port` are."""

    text: str
    path: str | None = None
    host: str = ""
    port: int = 0
    secure: bool = False

    @classmethod
    def parse(cls, text: str, *, secure: bool = False) -> Address:
        """Parse an engine's address, without I/O. `secure`: TLS is configured (`https://` implies it).

        `tcp://host` without a port means docker's own ports: 2375, or 2376 with TLS.
        Raises SettingsError saying what is right.
        """
        try:
            if text.startswith("unix://"):
                return _parse_unix(text, secure=secure)
            scheme, host, port = _split(text)
            if scheme == "http" and secure:
                raise ValueError("TLS is configured for it, but http:// is plain; write https://")
            if not host:
                raise ValueError("the host is missing")
            if scheme is None and port is None:
                raise ValueError("the port is missing")
            secure = secure or scheme == "https"
            number = (2376 if secure else 2375) if port is None else _parse_port(port, lowest=1)
        except ValueError as error:
            raise _wrong("engine address", text, str(error), _ENGINE_FORMS) from None
        return cls(f"tcp://{_bracketed(host)}:{number}", host=host, port=number, secure=secure)

    @classmethod
    def parse_listen(cls, text: str) -> Address:
        """Parse an address to listen on, without I/O: no host means all of this machine, port 0 any free one.

        Raises SettingsError saying what is right.
        """
        try:
            if text.startswith("unix://"):
                return _parse_unix(text, secure=False)
            _, host, port = _split(text)
            if port is None:
                raise ValueError("the port is missing")
            number = _parse_port(port, lowest=0)
        except ValueError as error:
            raise _wrong("address to listen on", text, str(error), _LISTEN_FORMS) from None
        return cls(f"tcp://{_bracketed(host)}:{number}", host=host, port=number)

    @property
    def origin(self) -> str:
        """Scheme and authority of the URLs there, without a slash at the end."""
        if self.path is not None:
            return "http://docker"
        return f"{'https' if self.secure else 'http'}://{self.authority}"

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return "docker" if self.path is not None else f"{_bracketed(self.host)}:{self.port}"


def _split(text: str) -> tuple[str | None, str, str | None]:
    """Scheme, host (without brackets) and port of an address; None for what is missing. Raises ValueError."""
    match = _TCP.fullmatch(text)
    if match is None:
        raise ValueError(_complaint(text))
    host = match["host"]
    if host.startswith("["):
        host = host[1:-1]
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise ValueError(f"{host!r} is not an IPv6 address") from None
    elif host and not _HOST_NAME.fullmatch(host):
        raise ValueError(f"{host!r} is not a host name")
    return match["scheme"], host, match["port"]


def _parse_unix(text: str, *, secure: bool) -> Address:
    path = text.removeprefix("unix://")
    if not path.startswith("/"):
        raise ValueError("the path of a unix socket must be absolute, so three slashes: unix:///var/run/docker.sock")
    if "\0" in path or len(path.encode("utf-8", "surrogateescape")) > _MAX_UNIX_PATH:
        raise ValueError(f"the path of a unix socket has at most {_MAX_UNIX_PATH} bytes")
    if secure:
        raise ValueError("TLS is configured for it, but a unix socket has none; leave the TLS settings out")
    return Address(text, path=path)


def _parse_port(port: str, *, lowest: int) -> int:
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and lowest <= int(port) < 65536):
        raise ValueError(f"{port!r} is not a port ({lowest} to 65535)")
    return int(port)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _complaint(text: str) -> str:
    scheme, separator, _ = text.partition("://")
    if separator and scheme not in {"tcp", "http", "https"}:
        return f"{scheme}:// is not supported"
    if text.startswith("/"):
        return f"a path needs its scheme: unix://{text}"
    if text.count(":") > 2:
        return "an IPv6 address must stand in brackets"
    return "it is not of the form host:port"


def _wrong(what: str, text: str, complaint: str, forms: str) -> SettingsError:
    shown = text if len(text) <= 120 else text[:117] + "..."
    return SettingsError(f"{what} {shown!r}: {complaint}. Right would be {forms}")
