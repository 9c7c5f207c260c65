"""Where a server listens."""

from __future__ import annotations

from collections.abc import Iterable

from skep_nginx.directives import Line
from skep_nginx.model import Listen
from skep_nginx.render.style import Style

__all__ = ["http2_line", "listen_lines"]


def listen_lines(listens: Iterable[Listen], style: Style, *words: str) -> tuple[Line, ...]:
    """One line for each address, those of QUIC only where this nginx has it."""
    return tuple(
        Line("listen", (str(listen), *words, *_kind(listen, style)))
        for listen in listens
        if style.features.http3 or not listen.quic
    )


def http2_line(on: bool, style: Style) -> tuple[Line, ...]:
    """Whether a server speaks HTTP/2, plainly too, to whoever begins with it; nginx before 1.25.1 says it where it listens."""
    features = style.features
    return (Line("http2", ("on" if on else "off",)),) if features.http2 and features.http2_directive else ()


def _kind(listen: Listen, style: Style) -> Iterable[str]:
    if listen.quic:
        yield "quic"
        return
    if listen.tls:
        yield "ssl"
        if style.http2 and style.features.http2 and not style.features.http2_directive:
            yield "http2"
    if style.proxy_protocol:
        yield "proxy_protocol"
