"""Whom nginx runs as: never root."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from skep import TemporaryError
from skep_nginx.settings import NginxSettings
from skep_nginx.settings.parse import parse_ports

__all__ = ["Account", "find_program"]

_USUAL = ("www-data", "nginx", "nobody")
_ADMIN = "/usr/local/sbin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Account:
    """A user to run as, and the words before a command that make it so; none where the agent is not root."""

    uid: int
    gid: int
    words: tuple[str, ...] = ()

    @classmethod
    def choose(cls, settings: NginxSettings) -> Account:
        """Raises TemporaryError where there is no such user, or no setpriv."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        names = (settings.user,) if settings.user else _USUAL
        found = next((entry for entry in map(_user, names) if entry), None)
        if found is None or found.pw_uid == 0:
            raise TemporaryError(f"no user {' or '.join(names)} to run nginx as: set user, to another one than root")
        ports = [int(text.rpartition(":")[2]) for text in (*settings.listen, *settings.tls.listen)]
        low = min(*ports, *(first for first, _ in parse_ports(settings.external_ports)), 65535) < 1024
        kept = "-all,+net_bind_service" if low else "-all"
        words = (
            _setpriv(),
            *(f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}", "--clear-groups", "--no-new-privs"),
            *(f"--inh-caps={kept}", f"--ambient-caps={kept}", f"--bounding-set={kept}"),
            "--",
        )
        return cls(found.pw_uid, found.pw_gid, words)

    def own(self, folder: Path) -> None:
        """Make a folder that only this user may use. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, self.uid, self.gid)
        folder.chmod(0o700)


def _user(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _setpriv() -> str:
    """That of util-linux. Raises TemporaryError for another: busybox's has no --reuid, and would only say so as nginx's own failure."""
    path = find_program("setpriv")
    try:
        told = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise TemporaryError(f"{path} does not run: {error}") from None
    if "util-linux" not in told:
        raise TemporaryError(
            f"{path} is not the setpriv of util-linux, which nginx is run by: install util-linux's setpriv"
        )
    return path


def find_program(name: str) -> str:
    """A program's path. Raises TemporaryError."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_ADMIN}")
    if path is None:
        raise TemporaryError(f"there is no program {name}: install it, or say where it is")
    return path
