"""What containers are told of a request, by each protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from skep_nginx.directives import Directive, Line, Ours, map_block
from skep_nginx.model import Proxy
from skep_nginx.render.style import Style

__all__ = ["header_lines", "ignored_lines"]

_CGI = {
    "QUERY_STRING": "$query_string",
    "REQUEST_METHOD": "$request_method",
    "CONTENT_TYPE": "$content_type",
    "CONTENT_LENGTH": "$content_length",
    "REQUEST_URI": "$request_uri",
    "DOCUMENT_URI": "$document_uri",
    "DOCUMENT_ROOT": "$document_root",
    "SERVER_PROTOCOL": "$server_protocol",
    "REQUEST_SCHEME": "$scheme",
    "HTTPS": "$https if_not_empty",
    "REMOTE_ADDR": "$remote_addr",
    "REMOTE_PORT": "$remote_port",
    "SERVER_ADDR": "$server_addr",
    "SERVER_PORT": "$server_port",
    "SERVER_NAME": "$host",  # of a pattern or wildcard, $server_name is no name
}
_FASTCGI = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SERVER_SOFTWARE": "nginx",
    "SCRIPT_FILENAME": "$document_root$fastcgi_script_name",
    "SCRIPT_NAME": "$fastcgi_script_name",
    "REDIRECT_STATUS": "200",  # a PHP that was built to be careful answers to nothing else
}
_IGNORED = ("X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Charset")


def header_lines(proxy: Proxy, style: Style) -> Iterable[Directive]:
    """For `http { }`, from where locations inherit them."""
    maps, headers = _headers(style)
    spoken = _spoken(proxy)
    yield from maps
    for name, value in {**headers, "Upgrade": "$skep_upgrade", "Connection": "$skep_connection"}.items():
        yield Line("proxy_set_header", (name, Ours(value)))
    if spoken & {"grpc", "grpcs"}:
        for name, value in headers.items():
            yield Line("grpc_set_header", (name, Ours(value)))
    if "fastcgi" in spoken:
        yield Line("fastcgi_index", ("index.php",))
        yield from _params("fastcgi_param", {**_CGI, **_FASTCGI}, headers)
    if "uwsgi" in spoken:
        yield from _params("uwsgi_param", {**_CGI, "PATH_INFO": "$document_uri"}, headers)


def ignored_lines(proxy: Proxy) -> Iterable[Directive]:
    """What containers cannot tell nginx, whatever file of the operator's stands in the place of `header_lines`.

    Buffering stays theirs to say; where nginx looks for files, how fast it sends and in what encoding does not.
    """
    spoken = _spoken(proxy)
    for kind in ("proxy", *sorted(spoken & {"fastcgi", "uwsgi"}), *(("grpc",) if spoken & {"grpc", "grpcs"} else ())):
        yield Line(f"{kind}_ignore_headers", _IGNORED)


def _spoken(proxy: Proxy) -> set[str]:
    return {location.protocol for site in proxy.sites for location in site.locations}


def _params(directive: str, params: Mapping[str, str], headers: Mapping[str, str]) -> Iterable[Line]:
    # Headers are parameters there, so that ours must stand in the place of those that a client sends.
    ours = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    for name, value in {**params, **ours}.items():
        text, _, condition = value.partition(" ")
        yield Line(directive, (name, Ours(text), *((condition,) if condition else ())))


def _headers(style: Style) -> tuple[tuple[Directive, ...], dict[str, str]]:
    """Maps, and headers; what a client says of itself is passed on only if the settings trust whoever is in front."""
    port = "$proxy_protocol_server_port" if style.proxy_protocol else "$server_port"
    told = {"proto": "$scheme", "host": "$host$skep_host_port", "port": port}
    maps: tuple[Directive, ...] = ()
    chain = "$remote_addr"
    if style.trust_forwarded:
        maps = tuple(
            map_block(f"$http_x_forwarded_{key}", f"$skep_{key}", {"default": f"$http_x_forwarded_{key}", "": value})
            for key, value in told.items()
        )
        told = {key: f"$skep_{key}" for key in told}
        chain = "$proxy_add_x_forwarded_for"
    ssl = map_block(told["proto"], "$skep_ssl", {"default": "off", "https": "on"})
    return (*maps, ssl), {
        "Host": "$host$skep_host_port",
        "X-Real-IP": "$remote_addr",
        "X-Forwarded-For": chain,
        "X-Forwarded-Host": told["host"],
        "X-Forwarded-Proto": told["proto"],
        "X-Forwarded-Ssl": "$skep_ssl",
        "X-Forwarded-Port": told["port"],
        "X-Original-URI": "$request_uri",
        "Proxy": "",  # programs take it for their own setting HTTP_PROXY
    }
