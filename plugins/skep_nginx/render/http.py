"""What all sites share: limits, logs, maps."""

from __future__ import annotations

from collections.abc import Iterable

from skep_nginx.directives import Directive, Line, Ours, map_block
from skep_nginx.model import Proxy
from skep_nginx.render.headers import header_lines, ignored_lines
from skep_nginx.render.style import Style

__all__ = ["http_lines"]

_LOG = (
    '$host $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$upstream_addr"'
)
_JSON = {
    "time_local": "$time_iso8601",
    "host": "$host",
    "client_ip": "$http_x_forwarded_for",
    "remote_addr": "$remote_addr",
    "request": "$request",
    "status": "$status",
    "body_bytes_sent": "$body_bytes_sent",
    "request_time": "$request_time",
    "upstream_response_time": "$upstream_response_time",
    "upstream_addr": "$upstream_addr",
    "http_referrer": "$http_referer",
    "http_user_agent": "$http_user_agent",
    "request_id": "$request_id",
}
_COMPRESSED = """
    text/plain text/css application/javascript application/json application/x-javascript text/xml application/xml
    application/xml+rss text/javascript image/svg+xml
"""


def http_lines(proxy: Proxy, style: Style) -> tuple[Directive, ...]:
    """The beginning of `http { }`."""
    longest = max((len(site.host) for site in proxy.sites if not site.host.is_regex), default=0)
    bucket = next(size for size in (128, 256, 512) if size >= longest + 64)
    return (
        Line("server_tokens", ("off",)),
        Line("server_names_hash_bucket_size", (str(bucket),)),
        Line("server_names_hash_max_size", (str(max(512, 2 * len(proxy.sites))),)),
        Line("large_client_header_buffers", ("4", "16k")),
        Line("client_max_body_size", (str(style.max_body),)),
        # At a reload, connections that clients keep stay open for their next request.
        *((Line("keepalive_min_timeout", ("5s",)),) if style.features.version >= (1, 27, 4) else ()),
        Line("gzip_types", tuple(_COMPRESSED.split())),
        *_logs(style),
        *((Line("resolver", style.resolvers),) if style.resolvers else ()),
        *_real_addresses(style),
        # Websockets only: h2c, upgraded, would carry requests past nginx.
        map_block("$http_upgrade", "$skep_upgrade", {"default": "", "websocket": "websocket"}),
        map_block("$http_upgrade", "$skep_connection", {"default": "", "websocket": "upgrade"}),
        map_block("$server_port", "$skep_host_port", {"default": ":$server_port", "80": "", "443": ""}),
        *ignored_lines(proxy),
        *((Line("include", (style.proxy_include,)),) if style.proxy_include else _towards_containers(proxy, style)),
        *((Line("include", (style.include,)),) if style.include else ()),
    )


def _logs(style: Style) -> Iterable[Directive]:
    log, escape = style.log_format or _LOG, style.log_escape
    if style.log_json and not style.log_format:
        log, escape = "{" + ",".join(f'"{name}":"{value}"' for name, value in _JSON.items()) + "}", "json"
    yield Line("log_format", ("vhost", *((f"escape={escape}",) if escape else ()), Ours(log)))
    yield Line("access_log", (style.access_log, "vhost") if style.access_log else ("off",))


def _real_addresses(style: Style) -> Iterable[Directive]:
    """Whoever connects must say by the PROXY protocol who the client is; that is the client's address from there on."""
    if style.proxy_protocol:
        yield Line("real_ip_header", ("proxy_protocol",))
        yield from (Line("set_real_ip_from", (network,)) for network in ("0.0.0.0/0", "::/0", "unix:"))


def _towards_containers(proxy: Proxy, style: Style) -> Iterable[Directive]:
    yield from header_lines(proxy, style)
    yield Line("proxy_http_version", ("1.1",))
    yield Line("proxy_connect_timeout", ("5s",))
    yield Line("proxy_buffer_size", ("16k",))
    yield Line("proxy_buffers", ("8", "16k"))
    yield Line("proxy_busy_buffers_size", ("32k",))
