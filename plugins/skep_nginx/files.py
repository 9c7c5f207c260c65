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

import glob
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from skep_nginx.model import BasicAuth, Host
from skep_nginx.model import Path as SitePath

__all__ = ["Files", "read_files"]

_Seen = tuple[str, int, int, int, int]


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

    def for_location(self, host: Host, path: SitePath) -> str:
        """What a location includes; "" for nothing."""
        return self._first(f"{host.file}_{path.digest}_location", f"{host.file}_location", "default_location")

    def override(self, host: Host, path: SitePath) -> str:
        """What stands in a location's place; "" for nothing."""
        whole = (f"{host.file}_location_override",) if path.is_root else ()
        return self._first(f"{host.file}_{path.digest}_location_override", *whole)

    def auth(self, host: Host, path: SitePath) -> BasicAuth | None:
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


def read_files(vhosts: str, passwords: str, includes: Iterable[str] = ()) -> Files:
    """Look at the folders, one that is not there has no files, and at those that patterns (of `include`) name. Blocks.

    Raises OSError where a folder cannot be read.
    """
    seen = [sorted(_entries(folder)) for folder in (vhosts, passwords)]
    names = [frozenset(entry[0] for entry in entries) for entries in seen]
    paths = (path for pattern in includes for path in glob.glob(pattern))  # noqa: PTH207 - nginx's are of the same kind
    included = sorted(found for path in paths for found in _known_by(path, Path(path)))
    version = hashlib.sha256(repr([*seen, included]).encode()).hexdigest()[:16] if included or any(seen) else ""
    return Files(vhosts.rstrip("/"), passwords.rstrip("/"), names[0], names[1], version)


def _entries(folder: str) -> Iterator[_Seen]:
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
        yield from _known_by(entry.name, Path(entry.path))


def _known_by(name: str, path: Path) -> Iterator[_Seen]:
    try:
        status = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            yield name, 0, 0, 0, 0
        return
    if stat.S_ISREG(status.st_mode):
        yield name, status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev
