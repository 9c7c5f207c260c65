"""Sites, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skep_nginx.model.addresses import Listen
from skep_nginx.model.hosts import Host
from skep_nginx.model.locations import Location
from skep_nginx.model.tls import Tls

__all__ = ["Answer", "Proxy", "Redirect", "ServerTokens", "Site"]

ServerTokens = Literal["on", "off", "build"]


@dataclass(frozen=True, slots=True)
class Answer:
    """nginx's own answer: a status, and where it sends a client on to, or the answer's text. Only settings say it."""

    status: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Redirect:
    """Plain requests are sent on to `https://host:port`, those that are no GET or HEAD with the status `non_get`."""

    listens: tuple[Listen, ...]
    port: int = 443
    non_get: int = 301


@dataclass(frozen=True, slots=True)
class Site:
    """One host, as it is served at `listens`; and at those of `redirect` sent on to TLS.

    `root` answers what no location matches, None leaves that to nginx (404). `acme`: plain HTTP also serves the challenges of ACME.
    `default`: it is nginx's answer for unknown hosts too. `http2`: it speaks that by TLS, and plainly where nginx can. `server_tokens` is
    None where the proxy's own setting holds. `include` is a file of the operator's. `debug` is the JSON that the debug endpoint tells, "" for
    none.
    """

    host: Host
    listens: tuple[Listen, ...]
    locations: tuple[Location, ...]
    tls: Tls | None = None
    redirect: Redirect | None = None
    root: Answer | None = None
    acme: bool = False
    default: bool = False
    http2: bool = True
    server_tokens: ServerTokens | None = None
    include: str = ""
    debug: str = ""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Everything that nginx serves: its sites, sorted by host. `fallback` is how unknown hosts are answered by TLS; None: not at all.

    `files` changes with the operator's files, so that nginx reads them again.
    """

    sites: tuple[Site, ...] = ()
    fallback: Tls | None = None
    files: str = ""
