"""From settings to what the model and the serializer go by."""

from __future__ import annotations

from skep_nginx.model import Listen
from skep_nginx.render import Style
from skep_nginx.rules import Rules
from skep_nginx.settings import NginxSettings
from skep_nginx.settings.parse import parse_answer, parse_ports
from skep_nginx.wishes.tls import parse_hsts

__all__ = ["rules_of", "style_of"]


def style_of(own: NginxSettings) -> Style:
    """How configurations are written."""
    # Somebody else's nginx, killed, would leave the socket behind, and not start again because of it.
    ours = own.mode == "process"
    return Style(
        listen=tuple(map(Listen.parse, own.listen)),
        status=own.status_socket if ours else None,
        prefix=own.run if ours else None,
        https=tuple(Listen.parse(text, tls=True) for text in own.tls.listen),
        policy=own.tls.policy,
        http2=own.tls.http2,
        challenges=own.acme.folder,
        challenges_unknown_host=own.tls.challenges_unknown_host,
        unknown_host=own.unknown_host,
        default_server=own.default_server,
        trust_forwarded=own.trust_forwarded,
        proxy_protocol=own.proxy_protocol,
        max_body=own.max_body,
        access_log=own.access_log,
        log_format=own.log_format,
        log_escape=own.log_escape,
        log_json=own.log_json,
        resolvers=own.resolvers,
        include=own.include,
        proxy_include=own.include_proxy,
        top_include=own.include_top,
        workers=own.workers,
        worker_connections=own.worker_connections,
        shutdown_timeout=own.shutdown_timeout,
    )


def rules_of(own: NginxSettings) -> Rules:
    """What holds for sites whose containers say nothing else; files and certificates are looked at later."""
    tls = own.tls
    return Rules(
        http=tuple(map(Listen.parse, own.listen)),
        https=tuple(Listen.parse(text, tls=True) for text in tls.listen),
        external_ports=parse_ports(own.external_ports),
        default_host=own.default_host,
        default_root=parse_answer(own.default_root),
        method=tls.method,
        non_get=tls.non_get_redirect,
        hsts=parse_hsts("hsts", tls.hsts) or "",
        trust_default=tls.trust_default,
        http_without_certificate=tls.http_without_certificate,
        acme=tls.challenges,
        http2=tls.http2,
        http3=tls.http3,
        hashed_names=own.hashed_names,
        debug=own.debug,
    )
