"""What all sites share: limits, logs, maps, and the headers towards containers."""

from __future__ import annotations

from skep_nginx.directives import Directive, Line, Ours, map_block
from skep_nginx.model import Proxy
from skep_nginx.render.style import Style

__all__ = ["http_lines"]

_LOG = Ours(
    '$host $remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" "$upstream_addr"'
)


def http_lines(proxy: Proxy, style: Style) -> tuple[Directive, ...]:
    """The beginning of `http { }`."""
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
        map_block("$http_upgrade", "$skep_upgrade", {"default": "", "websocket": "websocket"}),
        map_block("$http_upgrade", "$skep_connection", {"default": "", "websocket": "upgrade"}),
        map_block("$server_port", "$skep_host_port", {"default": ":$server_port", "80": "", "443": ""}),
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


def _forwarded(style: Style) -> tuple[Directive, ...]:
    """The headers towards containers; what a client says of itself is passed on only if the settings trust whoever is in front."""
    told = {"proto": "$scheme", "host": "$host$skep_host_port", "port": "$server_port"}
    maps: tuple[Directive, ...] = ()
    chain = "$remote_addr"
    if style.trust_forwarded:
        maps = tuple(
            map_block(f"$http_x_forwarded_{key}", f"$skep_{key}", {"default": f"$http_x_forwarded_{key}", "": value})
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
