"""The settings as types. Each attribute says its unit, its default and what an empty value means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

__all__ = ["ClusterSettings", "HttpSettings", "LogSettings", "PluginSettings", "PluginTable", "Settings", "TlsSettings"]

Seconds = Annotated[float, Meta(gt=0)]


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table: unknown keys are refused."""


class PluginSettings(_Table, frozen=True, kw_only=True):
    """Base of a plugin's own settings; a plugin's class derives one and names it in its attribute `Settings`.

    Raise ValueError in `__post_init__` for what types cannot say; the text goes to the operator behind file and key.
    """


class TlsSettings(_Table, frozen=True, kw_only=True):
    """Certificates: paths of PEM files."""

    ca: str = ""
    """Authorities that the other side's certificate must come from; "" is the system's (for engines) or none (for listeners)."""
    cert: str = ""
    key: str = ""
    verify: bool = True
    """Whether an engine's certificate is checked."""


class ClusterSettings(_Table, frozen=True, kw_only=True):
    """The engines that this agent watches."""

    engines: tuple[str, ...] = ()
    """Addresses of engines: `unix:///var/run/docker.sock`, `tcp://host:2375`."""
    discovery: str = ""
    """Where more of them are found: `nodes://…`, `file:///…`, `token://…`; plugins bring these."""
    discovery_options: Mapping[str, str] = {}
    heartbeat: Seconds = 60.0
    """How often discovery is asked."""
    tls: TlsSettings | None = None
    """For engines over tcp; None is without TLS."""
    connect_timeout: Seconds = 2.0
    """Until a connection to an engine stands."""
    call_timeout: Seconds = 30.0
    """Until an engine has answered a call."""
    ping_interval: Seconds = 1.0
    """How often each engine is asked whether it lives."""
    ping_timeout: Seconds = 3.0
    """How long it may take to say so; a node is unhealthy after that."""
    resync_interval: Seconds = 30.0
    """How often an engine's containers are listed although nothing was heard, to find lost events."""
    overcommit: float = 0.05
    """How much more of a node's CPUs and memory may be reserved than it has, as a fraction."""


class HttpSettings(_Table, frozen=True, kw_only=True):
    """The agent's own HTTP server: health, metrics, and what `skep nodes`, `ps`, `explain` and `plugins` ask."""

    listen: tuple[str, ...] = ()
    """`unix:///run/skep.sock`, `tcp://127.0.0.1:7070`; empty is no server."""
    tls: TlsSettings | None = None
    allow_insecure: bool = False
    """Serve plain tcp to other machines too."""


class LogSettings(_Table, frozen=True, kw_only=True):
    """What `skep run` writes to stderr; an embedding program configures logging itself."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class PluginTable(_Table, frozen=True, kw_only=True):
    """The options of a `[plugins.NAME]` table that the core owns; all others are the plugin's own, in `own`."""

    enabled: bool = True
    path: str = ""
    """A file with the plugin, for one that is not installed; relative to the settings file."""
    startup_error: Literal["error", "retry", "ignore"] = "error"
    """When it cannot start: the agent does not start either; it is tried again; the agent goes on without it."""
    timeout: Seconds = 10.0
    """How long one of its hooks may take, and its start and its stop."""
    log_level: Literal["", "debug", "info", "warning", "error"] = ""
    weight: float = 1.0
    """How much its scores count beside those of other strategies."""
    own: Mapping[str, Any] = {}


class Settings(_Table, frozen=True, kw_only=True):
    """Everything that an agent is told. Plugins run in the order in which `plugins` names them."""

    cluster: ClusterSettings = ClusterSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    plugins: Mapping[str, PluginTable] = msgspec.field(default_factory=dict)
    source: str = ""
    """The file that they came from, for messages."""
