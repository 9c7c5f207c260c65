"""What the nginx that is there can do, by what `nginx -V` says of itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Features", "read_features"]

_VERSION = re.compile(r"\bversion: [^/\s]{1,40}/(\d{1,4})\.(\d{1,4})\.(\d{1,4})")
_MODULE = re.compile(r"--with-(http_v2_module|http_v3_module|http_ssl_module|http_realip_module)(?=\s|'|$)")
_OLDEST = (1, 19, 5)


@dataclass(frozen=True, slots=True)
class Features:
    """Its version, and of which modules it was built. Unknown, it is the oldest that this plugin writes for."""

    version: tuple[int, int, int] = _OLDEST
    tls: bool = True
    http2: bool = True
    http3: bool = False

    @property
    def http2_directive(self) -> bool:
        """Whether each server says by itself that it speaks HTTP/2; before, all servers of an address did or did not."""
        return self.version >= (1, 25, 1)

    @property
    def text(self) -> str:
        """The version as people write it."""
        return ".".join(map(str, self.version))


def read_features(text: str) -> Features:
    """What `nginx -V` prints. Raises ValueError where that is no nginx, or too old."""
    found = _VERSION.search(text)
    if found is None:
        raise ValueError(f"`nginx -V` tells no version: {text[:80]!a}")
    version = (int(found[1]), int(found[2]), int(found[3]))
    if version < _OLDEST:
        raise ValueError(f"nginx {found[1]}.{found[2]}.{found[3]} is too old: 1.19.5 or newer is needed")
    modules = set(_MODULE.findall(text))
    return Features(
        version,
        tls="http_ssl_module" in modules,
        http2="http_v2_module" in modules,
        http3="http_v3_module" in modules and version >= (1, 25, 1),
    )
