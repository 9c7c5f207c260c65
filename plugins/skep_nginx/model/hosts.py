"""The names of sites."""

from __future__ import annotations

import hashlib

__all__ = ["Host"]


class Host(str):
    """A site's name as nginx's `server_name` has it: a name, `*.name`, `name.*`, an address, or `~` and a regular expression.

    Made by `skep_nginx.hosts.parse_host` only. It is the text itself, so that it sorts, hashes and prints as one.
    """

    __slots__ = ()

    @property
    def is_regex(self) -> bool:
        """Whether it is a regular expression."""
        return self.startswith("~")

    @property
    def is_wildcard(self) -> bool:
        """Whether it is `*.name` or `name.*`."""
        return not self.is_regex and "*" in self

    @property
    def is_pattern(self) -> bool:
        """Whether it is many names: a regular expression, or with a `*`."""
        return self.startswith("~") or "*" in self

    @property
    def file(self) -> str:
        """What the operator's files for it are called: its name, or the SHA-1 of a regular expression with its `~`."""
        return hashlib.sha1(self.encode(), usedforsecurity=False).hexdigest() if self.is_regex else str(self)
