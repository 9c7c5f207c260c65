"""The settings of all but TLS."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from skep import PluginSettings
from skep_nginx.acme.settings import AcmeSettings
from skep_nginx.collect import HealthRule
from skep_nginx.hosts import parse_host
from skep_nginx.model import Listen
from skep_nginx.settings.parse import parse_answer, parse_filter, parse_owner, parse_ports, parse_resolver
from skep_nginx.settings.places import ContainerSettings, ExternalSettings
from skep_nginx.settings.tls import TlsSettings

__all__ = ["NginxSettings"]

_PATHS = (*("directory", "access_log", "include", "include_top", "include_proxy", "vhost_files", "password_files"),)
_SECONDS = {"unit": "seconds"}  # so that "10s" and "1m" are read too
Seconds = Annotated[float, Meta(ge=0, le=86400, extra=_SECONDS)]


class NginxSettings(PluginSettings, frozen=True, kw_only=True):
    """Where nginx runs, where it listens, and how changes get to it. Times are in seconds, sizes in bytes."""

    mode: Literal["process", "container", "external"] = "process"
    """The agent runs nginx itself; or nginx runs in a container; or somebody else runs it on this host."""
    listen: Annotated[tuple[str, ...], Meta(min_length=1)] = ("0.0.0.0:80",)
    """Addresses; where nginx runs in a container, those inside of it."""
    nginx: str = "nginx"
    """The program: a path, or a name to look for in PATH, /usr/local/sbin, /usr/sbin and /sbin. 1.19.5 or newer."""
    directory: str = ""
    """What the plugin keeps; "" is /var/lib/skep/nginx, or for others than root $XDG_STATE_HOME/skep/nginx."""
    user: str = ""
    """Whom nginx runs as when the agent is root, master process and tests too; "" is the first of www-data, nginx, nobody."""
    workers: Annotated[int, Meta(ge=0, le=1024)] = 0
    """Worker processes; 0 is one per CPU."""
    worker_connections: Annotated[int, Meta(ge=16, le=1_000_000)] = 1024
    """Connections of one worker process, those to clients and those to containers."""
    shutdown_timeout: Annotated[int, Meta(ge=1, le=604800)] = 3600
    """How long connections that were open before a change (a websocket, a download) may go on."""
    quiet: Seconds = 0.1
    """The first change goes to nginx at once, the next waits for this long; while several come at a time four times as long each, …"""
    longest: Seconds = 4.0
    """… but no longer than this. What takes a container out waits for half a second at most."""
    verify_timeout: Annotated[float, Meta(ge=1, le=600, extra=_SECONDS)] = 10.0
    """How long nginx has to answer with a new configuration."""
    retry: Annotated[float, Meta(ge=0.1, le=86400, extra=_SECONDS)] = 60.0
    """What failed is tried again after 1, 2, 4, … seconds, at most this long."""
    health: HealthRule = "healthy"
    """Which containers with a health check get requests: those found healthy; all but those found unhealthy; all."""
    flap_wait: Seconds = 1.0
    """How long a container that became unhealthy must be healthy before it gets requests again, or one that started more than three
    times within `flap_longest` must be up; twice as long each further time, …"""
    flap_longest: Seconds = 60.0
    """… but no longer than this."""
    drain: Seconds = 1.0
    """How long a container that is stopped through skep runs on, for its last requests, after nginx sends it no more."""
    stop_timeout: Seconds = 5.0
    """How long a stop waits for nginx to take the container out; from when it is asked for to the container's end are at most this and `drain`."""
    stop_ignored: Seconds = 60.0
    """How long a container that was sent its stop signal, and runs on, gets no requests; after that the signal is taken for ignored."""
    unknown_host: Literal[404, 421, 444, 503] = 503
    """The answer for a host that no container names."""
    default_host: str = ""
    """The host, as a container names it, whose site answers for unknown hosts too."""
    default_root: str = "404"
    """The answer of a site that has paths, but none for a request: a status, "301 https://…", or "none" for nginx's own."""
    default_server: bool = True
    """Whether our answer for unknown hosts is nginx's `default_server`; false where an external nginx has one."""
    trust_forwarded: bool = False
    """Whether X-Forwarded-* of clients are passed on: only behind a proxy that sets them."""
    proxy_protocol: bool = False
    """Whether whoever is in front speaks the PROXY protocol; then everybody must."""
    external_ports: tuple[str, ...] = ()
    """Other ports than those of `listen` that containers may have their sites served at: "8080", "8000-8999"."""
    closed_ports: tuple[str, ...] = ("2375-2377",)
    """Ports of hosts that no container is reached at which is in its host's network; those of the agent, of engines and of nginx never are."""
    max_body: Annotated[int, Meta(ge=0)] = 2**20
    """The largest body of a request; 0 is any."""
    access_log: str = ""
    """A file for the log of requests, with their hosts; "" is none."""
    log_format: str = ""
    """What it says of a request, in nginx's variables; "" is the host and what web servers usually say."""
    log_escape: Literal["", "default", "json", "none"] = ""
    """How nginx escapes their values there."""
    log_json: bool = False
    """Whether it is JSON, where `log_format` says nothing else."""
    include: str = ""
    """A file with directives of yours, for the `http { }`; with `*`, several."""
    include_top: str = ""
    """The same, outside of it: for `stream { }`. Only where the agent runs nginx itself."""
    include_proxy: str = ""
    """A file that stands in the place of all that nginx tells containers, headers too."""
    vhost_files: str = ""
    """The folder of your directives for single hosts and paths."""
    password_files: str = ""
    """The folder of names and passwords, by host."""
    resolvers: tuple[str, ...] = ()
    """Name servers, and the parameters of nginx's `resolver`; for OCSP, and for your own directives."""
    hashed_names: bool = False
    """Whether upstreams are called by the SHA-1 of their host."""
    debug: bool = False
    """Whether each site tells at /nginx-proxy-debug what is known of it."""
    direct: bool = True
    """Whether containers' own addresses can be reached; false for rootless engines: only published ports are used."""
    host_address: str = ""
    """Where an nginx elsewhere reaches the ports that this host's own engine (by its unix socket) publishes."""
    prefer_ipv6: bool = False
    """Whether a container's IPv6 address is taken before its IPv4 address."""
    filters: tuple[str, ...] = ()
    """Only containers that all of these hold for: "label=NAME", "label=NAME=VALUE", "network=NAME", "name=NAME"."""
    regex_hosts: bool = True
    """Whether containers may name hosts by regular expressions."""
    owner_label: str = "skep.owner"
    """The label that says whose a container is: a host is served for the owner that had it first."""
    owners: tuple[str, ...] = ()
    """Whose a host is in any case, "HOST=OWNER"; of `*.example.com` all names below it too."""
    keep_claims: Annotated[float, Meta(ge=0, le=31536000, extra=_SECONDS)] = 86400.0
    """How long a host stays its owner's after the last container that names it is gone."""
    reserved: tuple[str, ...] = ()
    """Hosts that no container may name."""
    most_hosts: Annotated[int, Meta(ge=1, le=1000)] = 32
    """How many hosts one container may name."""
    tls: TlsSettings = TlsSettings()
    acme: AcmeSettings = AcmeSettings()
    external: ExternalSettings = ExternalSettings()
    container: ContainerSettings = ContainerSettings()

    def __post_init__(self) -> None:
        for text in self.listen:
            Listen.parse(text)
        for host in self.reserved:
            parse_host(host)
        if self.host_address:
            ipaddress.ip_address(self.host_address)
        if self.longest < self.quiet:
            raise ValueError(f"longest ({self.longest}) is less than quiet ({self.quiet})")
        if self.flap_longest < self.flap_wait:
            raise ValueError(f"flap_longest ({self.flap_longest}) is less than flap_wait ({self.flap_wait})")
        if self.acme.agree and not self.tls.listen:
            raise ValueError('acme: certificates are for TLS: set tls.listen, to "0.0.0.0:443" for example')
        parse_ports(self.external_ports)
        parse_ports(self.closed_ports, "closed_ports")
        parse_answer(self.default_root)
        for entry in self.owners:
            parse_owner(entry)
        for entry in self.filters:
            parse_filter(entry)
        for entry in self.resolvers:
            parse_resolver(entry)
        if self.default_host:
            parse_host(self.default_host)
        for key in _PATHS:
            path = getattr(self, key)
            if path and not Path(path).is_absolute():
                raise ValueError(f"{key}: expected an absolute path, not {path!r}")
            if not _is_plain(path) or "$" in path:
                raise ValueError(
                    f"{key}: expected a path in printable ASCII, without $: nginx reads {path!r} as something else"
                )
        if not _is_plain(self.log_format):
            raise ValueError("log_format: expected printable ASCII on one line")
        if len(os.fsencode(self.status_socket)) > 107:
            raise ValueError(
                f"directory: {self.home} is too long, the unix socket {self.status_socket} needs 107 bytes or less"
            )

    @property
    def home(self) -> Path:
        """The folder that the plugin keeps."""
        if self.directory:
            return Path(self.directory)
        if os.geteuid() == 0:
            return Path("/var/lib/skep/nginx")
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "skep" / "nginx"

    @property
    def claims_file(self) -> Path:
        """Where it is kept whose hosts are."""
        return self.home / "hosts.json"

    @property
    def run(self) -> Path:
        """The part of it that nginx writes to."""
        return self.home / "run"

    @property
    def pid_file(self) -> Path:
        """Where an nginx of ours tells its process, once it heeds signals."""
        return self.run / "nginx.pid"

    @property
    def status_socket(self) -> Path:
        """Where an nginx of this host tells its generation."""
        return self.run / "status.sock"


def _is_plain(text: str) -> bool:
    return text.isascii() and (text.isprintable() or not text) and len(text) <= 3000
