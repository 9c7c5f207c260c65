"""Listening sockets: TCP and unix, with errors that say what is in the way."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from skep.engine.address import Address
from skep.errors import SettingsError

__all__ = ["Listener", "bind"]

_PROBE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Listener:
    """One bound socket; `inode` is that of a unix socket's file, None for TCP."""

    socket: socket.socket
    path: Path | None = None
    inode: tuple[int, int] | None = None

    @property
    def url(self) -> str:
        """Where it listens: `unix:///path` or `tcp://host:port` with the real port."""
        if self.path is not None:
            return f"unix://{self.path}"
        host, port = self.socket.getsockname()[:2]
        return f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"

    def remove_file(self) -> None:
        """Remove a unix socket's file, unless another process has put its own in its place."""
        # Before the socket is closed: afterwards its inode number may be another file's.
        if self.path is not None:
            with contextlib.suppress(OSError):
                if _inode(self.path) == self.inode:
                    self.path.unlink()

    def close(self) -> None:
        """Remove the file and close the socket."""
        self.remove_file()
        self.socket.close()


def bind(address: Address, *, unix_mode: int, plain_allowed: bool) -> list[Listener]:
    """Bind the sockets of one address (a name may have several).

    Blocking. Raises SettingsError saying what to do.
    """
    if address.path is not None:
        return [_bind_unix(Path(address.path), unix_mode)]
    try:
        found = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise SettingsError(f"cannot listen on {address.text}: {address.host}: {error.strerror}") from error
    if not plain_allowed:
        _refuse_plain(address, [info[4][0] for info in found])
    listeners: list[Listener] = []
    try:
        for family, kind, protocol, _, target in dict.fromkeys(found):
            if address.port == 0 and listeners:
                target = (target[0], listeners[0].socket.getsockname()[1], *target[2:])
            listeners.append(Listener(_bind_tcp(address, family, kind, protocol, target)))
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _bind_tcp(address: Address, family: int, kind: int, protocol: int, target: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _find_dead_clients(sock)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(target)
        # Before the loop does: two processes may bind, but only one can listen.
        sock.listen()
    except OSError as error:
        sock.close()
        raise SettingsError(f"cannot listen on {address.text}: {_advice(error, address.port)}") from error
    return sock


def _find_dead_clients(sock: socket.socket) -> None:
    """Have the connections that come in, which inherit this, end when the client's machine is gone and nothing is on its way to it.

    Not by TCP_USER_TIMEOUT: a client may stop reading for as long as it likes.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _advice(error: OSError, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken; stop the process that has it (ss -ltnp shows it) or choose another port"
    if error.errno == errno.EACCES:
        return f"not allowed to take port {port}; choose one above 1023, or grant CAP_NET_BIND_SERVICE"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine does not have that address (ip addr shows those it has)"
    return error.strerror or str(error)


def _refuse_plain(address: Address, hosts: list[str | int]) -> None:
    exposed = [str(host) for host in hosts if not ipaddress.ip_address(str(host).partition("%")[0]).is_loopback]
    if exposed:
        raise SettingsError(
            f"refusing to listen on {address.text} without TLS: whoever reaches {exposed[0]} would be root "
            "on the engines' hosts. Give a certificate (tls), listen on 127.0.0.1 or a unix socket, or allow it by "
            "allow_insecure = true (--allow-insecure)"
        )


def _bind_unix(path: Path, mode: int) -> Listener:
    _clear_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Not chmod afterwards: for an instant the socket would be open to all.
    umask = os.umask(0o777 & ~mode)
    try:
        sock.bind(str(path))
    except OSError as error:
        sock.close()
        hint = "its folder does not exist" if error.errno == errno.ENOENT else error.strerror
        raise SettingsError(f"cannot listen on unix://{path}: {hint}") from error
    finally:
        os.umask(umask)
    sock.listen()
    return Listener(sock, path, _inode(path))


def _clear_stale(path: Path) -> None:
    """Remove the socket file that a dead process left; refuse to touch anything else."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise SettingsError(f"cannot listen on unix://{path}: {error.strerror}") from error
    if not stat.S_ISSOCK(status.st_mode):
        raise SettingsError(
            f"cannot listen on unix://{path}: a file that is no socket is in the way; choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_SECONDS)
        refused = probe.connect_ex(str(path)) == errno.ECONNREFUSED
    if not refused:
        raise SettingsError(
            f"cannot listen on unix://{path}: a running process has it; stop that or choose another path"
        )
    with contextlib.suppress(FileNotFoundError):
        if _inode(path) == (status.st_dev, status.st_ino):
            path.unlink()


def _inode(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
