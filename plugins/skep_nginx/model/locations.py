"""The paths of a site."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from skep_nginx.model.upstreams import Upstream

__all__ = ["ROOT", "BasicAuth", "Location", "Match", "Path", "Protocol"]

Match = Literal["", "=", "^~", "~", "~*"]
Protocol = Literal["http", "https", "grpc", "grpcs", "fastcgi", "uwsgi"]


@dataclass(frozen=True, slots=True, order=True)
class Path:
    """A path as nginx's `location` has it: everything that begins with `text`, or what `match` says of it."""

    text: str = "/"
    match: Match = ""

    def __str__(self) -> str:
        return f"{self.match} {self.text}" if self.match in ("=", "^~") else f"{self.match}{self.text}"

    @property
    def is_root(self) -> bool:
        """Whether it is everything."""
        return self.text == "/" and self.match in ("", "^~")

    @property
    def is_regex(self) -> bool:
        """Whether it is a regular expression."""
        return self.match in ("~", "~*")

    @property
    def digest(self) -> str:
        """The SHA-1 of it as written, by which the operator's files name it."""
        return hashlib.sha1(str(self).encode(), usedforsecurity=False).hexdigest()


ROOT = Path()
"""Everything."""


@dataclass(frozen=True, slots=True)
class BasicAuth:
    """Who may come in: a file of names and passwords, and what browsers show when they ask for them."""

    file: str
    realm: str


@dataclass(frozen=True, slots=True)
class Location:
    """A path of a site. Without an upstream, nobody is there to answer: 503.

    `dest` replaces the matched part of the path on its way to a container. `root` is a FastCGI server's folder of scripts. `internal`:
    only private addresses may come. `include` is a file of the operator's; `override` one that stands in the location's place.
    """

    path: Path
    upstream: Upstream | None
    protocol: Protocol = "http"
    dest: str = ""
    root: str = ""
    internal: bool = False
    auth: BasicAuth | None = None
    include: str = ""
    override: str = ""
