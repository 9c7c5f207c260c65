"""The plugin's settings."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from skep import PluginSettings
from skep_nginx.collect import HealthRule
from skep_nginx.hosts import parse_host
from skep_nginx.model import Listen

__all__ = ["ContainerSettings", "ExternalSettings", "NginxSettings"]

_SECONDS = {"unit": "seconds"}  # so that "10s" and "1m" are read too
Seconds = Annotated[float, Meta(ge=0, le=86400, extra=_SECONDS)]
Command = Annotated[tuple[str, ...], Meta(min_length=1)]


class ExternalSettings(PluginSettings, frozen=True, kw_only=True):
    """An nginx that somebody else runs on this host. Commands are lists of words; no shell sees them."""

    conf: str = "/etc/nginx/conf.d/skep.conf"
    """The file that is ours; that nginx includes it in its `http { }`."""
    test: Command = ("nginx", "-t", "-q", "-c", "{conf}")
    """Tries a candidate alone, before it is installed; `{conf}` is a whole configuration around it."""
    check: Command = ("nginx", "-t", "-q")
    """Tries the nginx's whole configuration, once the candidate is in its place; if it fails, the last good one is put back."""
    reload: Command = ("nginx", "-s", "reload")
    """Makes it take its configuration."""


class ContainerSettings(PluginSettings, frozen=True, kw_only=True):
    """An nginx in a container of its own, which is configured through its engine."""

    name: str = ""
    """The container's name; "" is whichever has the label."""
    label: str = "skep.nginx"
    """The label that it has."""
    node: str = ""
    """The node that it is on; "" is any."""
    conf: str = "/etc/nginx/conf.d/default.conf"
    """The file in it that is ours; its nginx includes it in its `http { }`."""
    nginx: str = "nginx"
    """The program in it."""


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
    """The first change goes to nginx at once, the next waits for this long; those that keep coming four times as long each, …"""
    longest: Seconds = 4.0
    """… but no longer than this. What takes a container out waits for half a second at most."""
    verify_timeout: Annotated[float, Meta(ge=1, le=600, extra=_SECONDS)] = 10.0
    """How long nginx has to answer with a new configuration."""
    retry: Annotated[float, Meta(ge=0.1, le=86400, extra=_SECONDS)] = 60.0
    """What failed is tried again after 1, 2, 4, … seconds, at most this long."""
    health: HealthRule = "healthy"
    """Which containers with a health check get requests: those found healthy; all but those found unhealthy; all."""
    flap_wait: Seconds = 1.0
    """How long a container that became unhealthy must be healthy before it gets requests again; twice as long each further time, …"""
    flap_longest: Seconds = 60.0
    """… but no longer than this."""
    drain: Seconds = 1.0
    """How long a container that is stopped through skep runs on, for its last requests, after nginx sends it no more."""
    stop_timeout: Seconds = 5.0
    """How long a stop waits for nginx to take the container out; from when it is asked for to the container's end are at most this and `drain`."""
    unknown_host: Literal[404, 421, 444, 503] = 503
    """The answer for a host that no container names."""
    default_server: bool = True
    """Whether our answer for unknown hosts is nginx's `default_server`; false where an external nginx has one."""
    trust_forwarded: bool = False
    """Whether X-Forwarded-* of clients are passed on: only behind a proxy that sets them."""
    max_body: Annotated[int, Meta(ge=0)] = 2**20
    """The largest body of a request; 0 is any."""
    access_log: str = ""
    """A file for the log of requests, with their hosts; "" is none."""
    include: str = ""
    """A file with directives of yours, for the `http { }`."""
    direct: bool = True
    """Whether containers' own addresses can be reached; false for rootless engines: only published ports are used."""
    host_address: str = ""
    """Where an nginx elsewhere reaches the ports that this host's own engine (by its unix socket) publishes."""
    reserved: tuple[str, ...] = ()
    """Hosts that no container may name."""
    most_hosts: Annotated[int, Meta(ge=1, le=1000)] = 32
    """How many hosts one container may name."""
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
        for key in ("directory", "access_log", "include"):
            path = getattr(self, key)
            if path and not Path(path).is_absolute():
                raise ValueError(f"{key}: expected an absolute path, not {path!r}")
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
    def run(self) -> Path:
        """The part of it that nginx writes to."""
        return self.home / "run"

    @property
    def status_socket(self) -> Path:
        """Where an nginx of this host tells its generation."""
        return self.run / "status.sock"
