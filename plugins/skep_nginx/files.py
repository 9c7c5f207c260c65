"""The operator's own files: directives and passwords, by the names of sites.

    vhosts/default                    in each site's `server { }` that has no file of its own
    vhosts/HOST
    vhosts/default_location           in each `location { }` that has no file of its own
    vhosts/HOST_location
    vhosts/HOST_SHA1_location         SHA1 is that of the path as the container says it
    vhosts/HOST_location_override     in the place of the location /
    vhosts/HOST_SHA1_location_override
    passwords/HOST                    names and passwords, as htpasswd writes them
    passwords/HOST_SHA1

HOST of a regular expression is its SHA-1. No container can name any other file.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from skep_nginx.model import BasicAuth, Host, Path

__all__ = ["Files", "read_files"]


@dataclass(frozen=True, slots=True)
class Files:
    """Which there are. `version` changes with their contents."""

    vhosts: str = ""
    passwords: str = ""
    vhost_names: frozenset[str] = frozenset()
    password_names: frozenset[str] = frozenset()
    version: str = ""

    def for_site(self, host: Host) -> str:
        """What a site's server includes; "" for nothing."""
        return self._first(host.file, "default")

    def for_location(self, host: Host, path: Path) -> str:
        """What a location includes; "" for nothing."""
        return self._first(f"{host.file}_{path.digest}_location", f"{host.file}_location", "default_location")

    def override(self, host: Host, path: Path) -> str:
        """What stands in a location's place; "" for nothing."""
        whole = (f"{host.file}_location_override",) if path.is_root else ()
        return self._first(f"{host.file}_{path.digest}_location_override", *whole)

    def auth(self, host: Host, path: Path) -> BasicAuth | None:
        """Who may come in; None for everybody."""
        own = f"{host.file}_{path.digest}"
        if own in self.password_names:
            return BasicAuth(f"{self.passwords}/{own}", _realm(f"{host}{path}"))
        if host.file in self.password_names:
            return BasicAuth(f"{self.passwords}/{host.file}", _realm(host))
        return None

    def _first(self, *names: str) -> str:
        return next((f"{self.vhosts}/{name}" for name in names if name in self.vhost_names), "")


def _realm(text: str) -> str:
    plain = not set(text) & set('~$"\\')
    return f"Restricted {text}" if plain else "Restricted access"


def read_files(vhosts: str, passwords: str) -> Files:
    """Look at the folders; one that is not there has no files. Blocks. Raises OSError where one cannot be read."""
    seen = [sorted(_entries(folder)) for folder in (vhosts, passwords)]
    names = [frozenset(entry[0] for entry in entries) for entries in seen]
    version = hashlib.sha256(repr(seen).encode()).hexdigest()[:16] if any(seen) else ""
    return Files(vhosts.rstrip("/"), passwords.rstrip("/"), names[0], names[1], version)


def _entries(folder: str) -> Iterator[tuple[str, int, int, int, int]]:
    """Names of a folder's files, and by what a change of them is known.

    A link whose file is gone counts: nginx refuses a site that includes it, and lets nobody in by such a file of passwords, while without
    it everybody would be let in.
    """
    if not folder:
        return
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            status = entry.stat()
        except FileNotFoundError:
            if entry.is_symlink():
                yield entry.name, 0, 0, 0, 0
            continue
        if stat.S_ISREG(status.st_mode):
            yield entry.name, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev
