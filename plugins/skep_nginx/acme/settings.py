"""The settings of certificates by ACME."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from skep import PluginSettings

__all__ = ["AUTHORITIES", "AcmeSettings", "KeyType"]

KeyType = Literal["ec-256", "ec-384", "rsa-2048", "rsa-3072", "rsa-4096"]
AUTHORITIES = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""Directories that have a name here."""
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class AcmeSettings(PluginSettings, frozen=True, kw_only=True):
    """Certificates that an authority issues by itself (RFC 8555, HTTP-01), for hosts that containers serve."""

    agree: bool = False
    """Whether you agree to the authority's terms of service; nothing is asked of it before."""
    hosts: Literal["asked", "all"] = "asked"
    """For which hosts: those that a container names in LETSENCRYPT_HOST too, or every host that needs a certificate and has none."""
    directory: str = "letsencrypt"
    """The authority: `letsencrypt`, `letsencrypt-staging` (for tries: clients do not trust it), or the https URL of its directory."""
    email: str = ""
    """Where the authority reaches you; "" is the first LETSENCRYPT_EMAIL of a container, if any has one."""
    ca: str = ""
    """A PEM file with whom the directory's own certificate must come from; "" is the system's authorities."""
    key: KeyType = "ec-256"
    """The keys of certificates."""
    eab_kid: str = ""
    """The key id of an account that you have at the authority already (external account binding); "" is none."""
    eab_hmac_file: str = ""
    """A file with that account's HMAC key, in base64url as the authority shows it."""
    renew: Annotated[float, Meta(gt=0, lt=1)] = 0.33
    """A certificate is renewed when this much of its lifetime is left."""
    folder: str = ""
    """A folder where another client of ACME puts its challenges, in `.well-known/acme-challenge`; it is looked at unless you `agree`."""
    parallel: Annotated[int, Meta(ge=1, le=16)] = 2
    """How many certificates are asked for at once."""
    most_orders: Annotated[int, Meta(ge=1, le=10_000)] = 50
    """How many times an hour the authority is asked for a certificate, at most; Let's Encrypt allows 100."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" or not parts.hostname or not self.url.isascii():
            raise ValueError(f"directory: expected {', '.join(AUTHORITIES)} or an https URL, not {self.directory!r}")
        if self.email and not is_email(self.email):
            raise ValueError(f"email: expected an address such as admin@example.com, not {self.email!r}")
        if bool(self.eab_kid) is not bool(self.eab_hmac_file):
            raise ValueError("eab_kid and eab_hmac_file belong together: set both or none")
        for key in ("ca", "eab_hmac_file", "folder"):
            path = getattr(self, key)
            if path and not Path(path).is_absolute():
                raise ValueError(f"{key}: expected an absolute path, not {path!r}")

    @property
    def url(self) -> str:
        """The directory's URL."""
        return AUTHORITIES.get(self.directory, self.directory)


def is_email(text: str) -> bool:
    """Whether it looks like an address of electronic mail, and nothing else."""
    return len(text) <= 254 and _EMAIL.fullmatch(text) is not None
