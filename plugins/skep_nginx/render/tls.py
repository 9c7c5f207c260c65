"""What is said of TLS: for all sites, for one, for unknown hosts, and for the challenges of ACME."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from skep_nginx.directives import Block, Directive, Line, Ours, Pattern, map_block
from skep_nginx.model import Listen, Proxy, Site, Tls
from skep_nginx.render.listens import http2_line, listen_lines
from skep_nginx.render.policies import POLICY, laxest
from skep_nginx.render.style import Style

__all__ = ["challenge_block", "fallback_tls", "http_tls", "redirect_server", "site_tls"]

_CHALLENGES = "/.well-known/acme-challenge/"
_TOO_LOW = {
    "TLSv1": ("$skep_tls_1_0", ("TLSv1",)),
    "TLSv1.1": ("$skep_tls_1_1", ("TLSv1", "TLSv1.1")),
    "TLSv1.2": ("$skep_tls_1_2", ("TLSv1", "TLSv1.1", "TLSv1.2")),
}


def http_tls(proxy: Proxy, style: Style) -> tuple[Directive, ...]:
    """For all sites, in `http { }`."""
    if not any(site.tls or site.redirect for site in proxy.sites) and not style.https:
        return ()
    return (
        map_block("$request_method", "$skep_changing", {"default": "1", "GET": "", "HEAD": ""}),
        *(
            map_block("$ssl_protocol", name, {"default": "", **dict.fromkeys(low, "1")})
            for name, low in _TOO_LOW.values()
        ),
        Line("ssl_session_timeout", ("5m",)),
        Line("ssl_session_cache", ("shared:skep:50m",)),
        Line("ssl_session_tickets", ("off",)),
        *((Line("ssl_dhparam", (style.dhparam,)),) if style.dhparam else ()),
    )


def site_tls(site: Site, style: Style) -> tuple[Directive, ...]:
    """For one site, in its `server { }`."""
    plain = challenge_block(style) if site.acme and any(not listen.tls for listen in site.listens) else ()
    return *plain, *_tls(site, style)


def _tls(site: Site, style: Style) -> Iterable[Directive]:
    tls = site.tls
    if tls is None:
        return
    name = tls.policy or style.policy
    yield from _policy(name)
    yield from _http3(site.listens, style)
    if tls.certificate is None:
        yield Line("ssl_reject_handshake", ("on",))
        return
    yield from _certificate(tls)
    variable = _TOO_LOW.get(POLICY[name].too_low)
    if variable:
        yield Block("if", (Ours(f"({variable[0]})"),), (Line("return", ("444",)),))
    if tls.hsts:
        yield Line("add_header", ("Strict-Transport-Security", tls.hsts, "always"))
    if tls.clients:
        yield Line("ssl_client_certificate", (tls.clients.ca,))
        yield Line("ssl_verify_client", (tls.clients.verify,))
        yield from (Line("ssl_crl", (tls.clients.crl,)) for _ in tls.clients.crl and (1,))


def _policy(name: str) -> Iterable[Directive]:
    policy = POLICY[name]
    yield Line("ssl_protocols", policy.protocols)
    if policy.ciphers:
        yield Line("ssl_ciphers", (policy.cipher_list,))
    if policy.suites:
        yield Line("ssl_conf_command", ("Ciphersuites", policy.suites))
    yield Line("ssl_prefer_server_ciphers", ("on" if policy.server_order else "off",))


def _http3(listens: Sequence[Listen], style: Style) -> Iterable[Directive]:
    quic = next((listen for listen in listens if listen.quic), None)
    if style.features.http3 and quic is not None:
        yield Line("http3", ("on",))
        yield Line("add_header", ("Alt-Svc", f'h3=":{quic.port}"; ma=86400', "always"))


def _certificate(tls: Tls) -> Iterable[Directive]:
    own = tls.certificate
    if own is None:
        return
    yield Line("ssl_certificate", (own.certificate,))
    yield Line("ssl_certificate_key", (own.key,))
    if own.dhparam:
        yield Line("ssl_dhparam", (own.dhparam,))
    if own.chain:
        yield Line("ssl_trusted_certificate", (own.chain,))
        yield Line("ssl_stapling", ("on",))
        yield Line("ssl_stapling_verify", ("on",))


# -- plain requests


def redirect_server(site: Site, style: Style) -> tuple[Block, ...]:
    """The server that sends plain requests on to TLS, where the site has one."""
    redirect = site.redirect
    if redirect is None:
        return ()
    from skep_nginx.render.site import debug_block, name_line

    port = "" if redirect.port == 443 else f":{redirect.port}"
    target = Ours(f"https://$host{port}$request_uri")
    body: list[Directive] = []
    if redirect.non_get != 301:
        body.append(Block("if", (Ours("($skep_changing)"),), (Line("return", (str(redirect.non_get), target)),)))
    body.append(Line("return", ("301", target)))
    return (
        Block(
            "server",
            (),
            (
                *listen_lines(redirect.listens, style, *(("default_server",) if site.default else ())),
                name_line(site.host),
                *http2_line(site.http2, style),
                *(challenge_block(style) if site.acme else ()),
                *debug_block(site, style),
                Block("location", ("/",), tuple(body)),
            ),
        ),
    )


def challenge_block(style: Style) -> tuple[Block, ...]:
    """Where an authority finds the proof that a host is ours: any token, with our account's thumbprint (RFC 8555, 8.3); or a folder's files."""
    if style.thumbprint:
        pattern = Pattern(rf"^{_CHALLENGES.replace('.', chr(92) + '.')}([A-Za-z0-9_-]+)$")
        answer = Line("return", ("200", Ours(f"$1.{style.thumbprint}")))
        body: tuple[Directive, ...] = (
            Line("default_type", ("text/plain",)),
            Block("location", ("~", pattern), (answer,)),
            Line("return", ("404",)),
        )
    elif style.challenges:
        body = (
            Line("auth_basic", ("off",)),
            Line("allow", ("all",)),
            Line("root", (style.challenges,)),
            Line("try_files", (Ours("$uri"), "=404")),
        )
    else:
        return ()
    return (Block("location", ("^~", _CHALLENGES), body),)


# -- unknown hosts


def fallback_tls(proxy: Proxy, style: Style) -> tuple[Block, ...]:
    """The server for hosts that nobody has, by TLS: the handshake is refused, unless there is a certificate for all."""
    served = {listen for site in proxy.sites for listen in site.listens if listen.tls}
    listens = sorted({*style.https, *(listen for listen in served if not listen.quic)})
    if not listens:
        return ()
    taken = {listen for site in proxy.sites if site.default for listen in site.listens}
    default = ("default_server",) if style.default_server else ()
    tls = proxy.fallback or Tls()
    quic = sorted(listen for listen in served if listen.quic)
    lines = [
        *(line for each in listens for line in listen_lines([each], style, *(() if each in taken else default))),
        *(
            line
            for each in quic
            for line in listen_lines([each], style, "reuseport", *(() if each in taken else default))
        ),
    ]
    policies = [style.policy, *(site.tls.policy or style.policy for site in proxy.sites if site.tls)]
    shown = (*_certificate(tls),) if tls.certificate is not None else (Line("ssl_reject_handshake", ("on",)),)
    # Whoever shook hands for one host may still ask for another: without an answer of ours nginx would look for files of its own.
    answer = Block("location", ("/",), (Line("return", (str(style.unknown_host),)),))
    http2 = http2_line(style.http2, style)
    return (
        Block("server", (), (*lines, Line("server_name", ("_",)), *_policy(laxest(policies)), *http2, *shown, answer)),
    )
