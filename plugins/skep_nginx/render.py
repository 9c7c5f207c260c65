"""From the model to nginx's configuration: the same model gives the same bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from skep_nginx.directives import Block, Line, Ours, write
from skep_nginx.hosts import STATUS_HOST
from skep_nginx.model import Listen, Location, Proxy, Site, Upstream

__all__ = ["Rendered", "Style", "render", "temporary_paths"]

_LOG = Ours(
    '$host $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$upstream_addr"'
)
_BLANK = "0" * 16  # where the generation goes
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, slots=True)
class Style:
    """What the settings say about every configuration.

    `status`: the unix socket where nginx tells its generation; None: at its public addresses, under a name of ours. `prefix`: the
    folder of nginx's temporary files, for a whole configuration; None: only what stands inside of somebody's `http { }`.
    """

    listen: tuple[Listen, ...]
    status: Path | None = None
    prefix: Path | None = None
    unknown_host: int = 503
    default_server: bool = True
    trust_forwarded: bool = False
    max_body: int = 2**20
    access_log: str = ""
    include: str = ""
    workers: int = 0
    worker_connections: int = 1024
    shutdown_timeout: int = 3600


@dataclass(frozen=True, slots=True)
class Rendered:
    """A configuration, and the generation that it tells when it is live."""

    text: bytes = field(repr=False)
    generation: str


def render(proxy: Proxy, style: Style) -> Rendered:
    """The configuration of these sites."""
    text = write(_all(proxy, style))
    generation = hashlib.sha256(text).hexdigest()[: len(_BLANK)]
    # With the directive's name and its end, so that no host can look like it.
    return Rendered(text.replace(f"return 200 {_BLANK};".encode(), f"return 200 {generation};".encode()), generation)


def _all(proxy: Proxy, style: Style) -> tuple[Line | Block, ...]:
    http = (
        *_common(proxy, style),
        _unknown(style),  # before all others: where nginx has no default server, the first one is that
        _status(style),
        *(part for site in proxy.sites for part in _site(site, style)),
    )
    return http if style.prefix is None else frame(http, style, style.prefix)


def frame(http: tuple[Line | Block, ...], style: Style, prefix: Path) -> tuple[Line | Block, ...]:
    """A whole configuration around what stands inside of `http { }`."""
    return (
        Line("daemon", ("off",)),
        Line("worker_processes", (str(style.workers or "auto"),)),
        Line("worker_shutdown_timeout", (f"{style.shutdown_timeout}s",)),
        Line("pid", (str(prefix / "nginx.pid"),)),
        Line("error_log", ("stderr", "warn")),
        Block("events", (), (Line("worker_connections", (str(style.worker_connections),)),)),
        Block("http", (), (*temporary_paths(f"{prefix}/"), *http)),
    )


def temporary_paths(before: str) -> tuple[Line, ...]:
    """Where nginx keeps large bodies: folders whose paths begin with `before`."""
    return tuple(Line(f"{kind}_temp_path", (before + kind,)) for kind in _TEMPORARY)


def _common(proxy: Proxy, style: Style) -> tuple[Line | Block, ...]:
    longest = max((len(site.host) for site in proxy.sites), default=0)
    bucket = next(size for size in (128, 256, 512) if size >= longest + 64)
    return (
        Line("server_tokens", ("off",)),
        Line("server_names_hash_bucket_size", (str(bucket),)),
        Line("server_names_hash_max_size", (str(max(512, 2 * len(proxy.sites))),)),
        Line("large_client_header_buffers", ("4", "16k")),
        Line("client_max_body_size", (str(style.max_body),)),
        Line("log_format", ("skep", _LOG)),
        Line("access_log", (style.access_log, "skep") if style.access_log else ("off",)),
        # Websockets only: h2c, upgraded, would carry requests past nginx.
        _map("$http_upgrade", "$skep_upgrade", {"default": "", "websocket": "websocket"}),
        _map("$http_upgrade", "$skep_connection", {"default": "", "websocket": "upgrade"}),
        _map("$server_port", "$skep_host_port", {"default": ":$server_port", "80": "", "443": ""}),
        *_forwarded(style),
        Line("proxy_http_version", ("1.1",)),
        Line("proxy_connect_timeout", ("5s",)),
        Line("proxy_buffer_size", ("16k",)),
        Line("proxy_buffers", ("8", "16k")),
        Line("proxy_busy_buffers_size", ("32k",)),
        # Buffering stays a container's to say; where nginx looks for files, how fast it sends and in what encoding does not.
        Line("proxy_ignore_headers", ("X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Charset")),
        *((Line("include", (style.include,)),) if style.include else ()),
    )


def _map(source: str, name: str, cases: dict[str, str]) -> Block:
    return Block("map", (Ours(source), Ours(name)), tuple(Line(case, (Ours(value),)) for case, value in cases.items()))


def _forwarded(style: Style) -> tuple[Line | Block, ...]:
    """The headers towards containers; what a client says of itself is passed on only if the settings trust whoever is in front."""
    told = {"proto": "$scheme", "host": "$host$skep_host_port", "port": "$server_port"}
    maps: tuple[Line | Block, ...] = ()
    chain = "$remote_addr"
    if style.trust_forwarded:
        maps = tuple(
            _map(f"$http_x_forwarded_{key}", f"$skep_{key}", {"default": f"$http_x_forwarded_{key}", "": value})
            for key, value in told.items()
        )
        told = {key: f"$skep_{key}" for key in told}
        chain = "$proxy_add_x_forwarded_for"
    headers = {
        "Host": "$host$skep_host_port",
        "Upgrade": "$skep_upgrade",
        "Connection": "$skep_connection",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": chain,
        "X-Forwarded-Host": told["host"],
        "X-Forwarded-Proto": told["proto"],
        "X-Forwarded-Port": told["port"],
        "Proxy": "",  # programs take it for their own setting HTTP_PROXY
    }
    return *maps, *(Line("proxy_set_header", (name, Ours(value))) for name, value in headers.items())


def _status(style: Style) -> Block:
    """Where nginx tells its generation."""
    body: list[Line | Block] = [
        *([Line("listen", (f"unix:{style.status}",))] if style.status else _listen(style)),
        Line("server_name", (STATUS_HOST,)),
        Line("access_log", ("off",)),
        Line("default_type", ("text/plain",)),
        Block("location", ("=", "/generation"), (Line("return", ("200", _BLANK)),)),
        Block("location", ("/",), (Line("return", ("404",)),)),
    ]
    return Block("server", (), tuple(body))


def _listen(style: Style, *words: str) -> list[Line]:
    return [Line("listen", (str(listen), *words)) for listen in style.listen]


def _unknown(style: Style) -> Block:
    """Who asks for a host that nobody has."""
    words = ("default_server",) if style.default_server else ()
    answer = Block("location", ("/",), (Line("return", (str(style.unknown_host),)),))
    return Block("server", (), (*_listen(style, *words), Line("server_name", ("_",)), answer))


def _site(site: Site, style: Style) -> tuple[Block, ...]:
    upstreams = [location.upstream for location in site.locations if location.upstream]
    body: list[Line | Block] = [*_listen(style), Line("server_name", (site.host,)), *map(_location, site.locations)]
    return *map(_upstream, upstreams), Block("server", (), tuple(body))


def _upstream(upstream: Upstream) -> Block:
    # A container that does not listen yet is left alone for nginx's default of 10 s otherwise; dead ones leave the configuration.
    servers = tuple(Line("server", (str(server), "fail_timeout=1s")) for server in upstream.servers)
    return Block("upstream", (upstream.name,), (*servers, Line("keepalive", (str(2 * len(servers)),))))


def _location(location: Location) -> Block:
    upstream = location.upstream
    answer = Line("proxy_pass", (f"http://{upstream.name}",)) if upstream else Line("return", ("503",))
    return Block("location", (location.path,), (answer,))
