"""What the settings, and the nginx that is there, say about every configuration."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from skep_nginx.features import Features
from skep_nginx.model import Listen

__all__ = ["Style"]


@dataclass(frozen=True, slots=True)
class Style:
    """What is the same for all sites.

    `listen`: where sites are served that say nothing of it, plainly and by TLS. `status`: the unix socket where nginx tells its
    generation; None: at its public addresses, under a name of ours. `prefix`: the folder of nginx's temporary files, for a whole
    configuration; None: only what stands inside of somebody's `http { }`. `features`: of the nginx that is to read it. `https`: where
    unknown hosts are answered by TLS. `policy` is that of sites that name none. `thumbprint` is that of our account at an authority,
    `challenges` a folder where another client of ACME puts them; `dhparam` a file of nginx's, or "".
    """

    listen: tuple[Listen, ...]
    status: Path | None = None
    prefix: Path | None = None
    features: Features = field(default_factory=Features)
    https: tuple[Listen, ...] = ()
    policy: str = "Mozilla-Intermediate"
    http2: bool = True
    dhparam: str = ""
    thumbprint: str = ""
    challenges: str = ""
    challenges_unknown_host: bool = False
    unknown_host: int = 503
    default_server: bool = True
    trust_forwarded: bool = False
    proxy_protocol: bool = False
    max_body: int = 2**20
    access_log: str = ""
    log_format: str = ""
    log_escape: str = ""
    log_json: bool = False
    resolvers: tuple[str, ...] = ()
    include: str = ""
    proxy_include: str = ""
    top_include: str = ""
    workers: int = 0
    worker_connections: int = 1024
    shutdown_timeout: int = 3600
