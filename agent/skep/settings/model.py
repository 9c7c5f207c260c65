"""The settings as types. The text below each attribute says its unit and what an empty value means; `skep config` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from skep.settings.values import SECONDS

__all__ = [
    "ClusterSettings",
    "HttpSettings",
    "LogSettings",
    "PlacementSettings",
    "PluginSettings",
    "PluginTable",
    "Seconds",
    "ServerTlsSettings",
    "Settings",
    "TlsSettings",
]

Seconds = Annotated[float, SECONDS]
"""The type of a duration in settings: seconds, more than 0; texts such as "10s" or "1m" are taken too."""


class _Table(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table: unknown keys are refused."""


class PluginSettings(_Table, frozen=True, kw_only=True):
    """Base of a plugin's own settings; a plugin's class derives one and names it in its attribute `Settings`.

    Raise ValueError in `__post_init__` for what types cannot say; the text goes to the operator behind file and key.
    """


class ServerTlsSettings(_Table, frozen=True, kw_only=True):
    """TLS of a server: paths of PEM files."""

    ca: str = ""
    """Authorities that clients' certificates must come from; "" asks clients for none."""
    cert: str = ""
    """The certificate to show."""
    key: str = ""
    """The private key of that certificate."""


class TlsSettings(_Table, frozen=True, kw_only=True):
    """TLS towards engines: paths of PEM files."""

    ca: str = ""
    """Authorities that engines' certificates must come from; "" is the system's."""
    cert: str = ""
    """The certificate to show to engines; "" is none."""
    key: str = ""
    """The private key of that certificate."""
    verify: bool = True
    """Whether engines' certificates are checked."""


class ClusterSettings(_Table, frozen=True, kw_only=True):
    """The engines that this agent watches."""

    engines: tuple[str, ...] = ()
    """Addresses of engines: `unix:///var/run/docker.sock`, `tcp://host:2375`."""
    discovery: str = ""
    """Where more of them are found: `nodes://…`, `file:///…`, `token://…`; plugins bring these. "" is nowhere."""
    discovery_options: Mapping[str, str] = {}
    """Options of that discovery, by name."""
    heartbeat: Seconds = 60.0
    """How often discovery is asked."""
    tls: TlsSettings | None = None
    """For engines over tcp; without it, they are spoken to in plain text."""
    connect_timeout: Seconds = 2.0
    """How long it may take to connect to an engine."""
    call_timeout: Seconds = 30.0
    """How long an engine may take to answer a call."""
    ping_interval: Seconds = 1.0
    """How often each engine is asked whether it lives; more than 125 engines are asked in turn, 125 a second: 1,000 every 8 s."""
    ping_timeout: Seconds = 3.0
    """How long an engine may take to answer that; after that its node is unhealthy."""
    resync_interval: Seconds = 30.0
    """How often an engine's containers are listed even if it reports no change, in case events were lost; more than 150 engines are asked
    in turn, 5 a second: 1,000 every 200 s."""
    overcommit: Annotated[float, Meta(gt=-1)] = 0.05
    """How much more of a node's CPUs and memory may be reserved than it has, as a fraction."""
    create_retries: Annotated[int, Meta(ge=0, le=100)] = 0
    """How often a container whose engine refuses to create it is tried on the next best node."""
    share_images: bool = False
    """Copy an image that a container's node lacks from a node that has it, where no registry has it (or it was made in the cluster).
    Otherwise the container goes to that other node."""


class PlacementSettings(_Table, frozen=True, kw_only=True):
    """How decisions are made and remembered."""

    relax: Literal["all", "one"] = "all"
    """How wishes (soft rules, `~`) are given up where no node fulfils them all. "all": all at once, as Swarm does. "one": no more than
    need be; those of the plugin with the lowest `weight` go first, then those of plugins further down, then those written last."""
    decisions: Annotated[int, Meta(ge=0, le=10_000)] = 100
    """How many of the last decisions are kept, for `skep decisions`; 0 keeps none."""
    decisions_memory: Annotated[int, Meta(ge=2**16)] = 32 * 2**20
    """How much memory they may take, in bytes, half of it for what the cluster was like, to replay them; the oldest are forgotten."""


class HttpSettings(_Table, frozen=True, kw_only=True):
    """The agent's own HTTP server: health, metrics, and what `skep nodes`, `ps`, `explain` and `plugins` ask."""

    listen: tuple[str, ...] = ()
    """`unix:///run/skep.sock`, `tcp://127.0.0.1:7070`; empty is no server."""
    tls: ServerTlsSettings | None = None
    """For its tcp addresses."""
    allow_insecure: bool = False
    """Serve plain tcp to other machines too."""
    hosts: tuple[str, ...] = ()
    """Names besides this machine's own that clients may call it by; others are refused, as a page in a browser could have made them up."""


class LogSettings(_Table, frozen=True, kw_only=True):
    """What `skep run` writes to stderr; an embedding program configures logging itself."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The lowest level that is written."""
    format: Literal["text", "json"] = "text"
    """Lines to read, or one JSON object a line."""


class PluginTable(_Table, frozen=True, kw_only=True):
    """The options of a `[plugins.NAME]` table that the core owns; all others are the plugin's own, in `own`."""

    enabled: bool = True
    """Whether it runs; a plugin without a table does not."""
    path: str = ""
    """A file with the plugin, for one that is not installed; relative to the settings file."""
    startup_error: Literal["error", "retry", "ignore"] = "error"
    """What happens when it cannot start. "error": the agent does not start either. "retry": it is started again and again, and until it
    runs, requests that it must allow are refused. "ignore": the agent runs without it. A plugin that cannot be imported, or whose settings
    are wrong, is not started again."""
    timeout: Seconds = 10.0
    """How long one of its hooks may take, and its start and its stop."""
    log_level: Literal["", "debug", "info", "warning", "error"] = ""
    """The lowest level of its own log that is written; "" is `log.level`."""
    weight: float = 1.0
    """How much its scores count beside those of other strategies, and its wishes where `placement.relax` is "one"."""
    own: Mapping[str, Any] = {}
    """What the plugin's own class checks."""


class Settings(_Table, frozen=True, kw_only=True):
    """Everything that an agent is told. Plugins run in the order in which `plugins` names them."""

    cluster: ClusterSettings = ClusterSettings()
    """The engines."""
    placement: PlacementSettings = PlacementSettings()
    """Where containers go."""
    http: HttpSettings = HttpSettings()
    """The agent's own HTTP server."""
    log: LogSettings = LogSettings()
    """What is logged."""
    plugins: Mapping[str, PluginTable] = msgspec.field(default_factory=dict)
    """The plugins, by name."""
    source: str = ""
    """The file that they came from, for messages."""
    origins: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Of dotted keys, where they were said: a line, a variable, a flag."""
