"""nginx's language: a tree of directives, and the one writer that quotes every word.

Only the directives named here can be written, so that nothing that runs code or reads files by itself (`ssl_engine`,
`load_module`, `lua`) can be, whatever a value says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Block", "Directive", "Line", "Ours", "map_block", "write"]

_DIRECTIVES = """
    access_log client_body_temp_path client_max_body_size daemon default_type error_log events fastcgi_temp_path hash http
    include ip_hash keepalive least_conn large_client_header_buffers listen location log_format map pid proxy_buffer_size proxy_buffers
    proxy_busy_buffers_size proxy_connect_timeout proxy_http_version proxy_ignore_headers proxy_pass proxy_set_header
    proxy_temp_path random return scgi_temp_path server server_name server_names_hash_bucket_size server_names_hash_max_size
    server_tokens upstream user uwsgi_temp_path worker_connections worker_processes worker_shutdown_timeout
"""
_CASES = ("", "default", "80", "443", "websocket")  # of a map
_NAMES = frozenset([*_DIRECTIVES.split(), *_CASES])
_PLAIN = re.compile(r"[A-Za-z0-9_./:*=\[\]-]+")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f]")


class Ours(str):
    """Text of this plugin itself, which may use nginx's variables."""


@dataclass(frozen=True, slots=True)
class Line:
    """`name word word;`"""

    name: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """`name word { … }`"""

    name: str
    words: tuple[str, ...]
    body: tuple[Directive, ...]


Directive: TypeAlias = Line | Block
"""What a configuration is made of."""


def map_block(source: str, name: str, cases: dict[str, str]) -> Block:
    """Variable `name` by the value of variable `source`: both and the values are this plugin's own text."""
    return Block("map", (Ours(source), Ours(name)), tuple(Line(case, (Ours(value),)) for case, value in cases.items()))


def write(directives: Iterable[Directive]) -> bytes:
    """The text of a configuration. Raises ValueError for what cannot be said."""
    return ("\n".join(_lines(directives, "")) + "\n").encode("ascii")


def _lines(directives: Iterable[Directive], indent: str) -> Iterator[str]:
    for directive in directives:
        if directive.name not in _NAMES:
            raise ValueError(f"the directive {directive.name!r} is not one that this plugin writes")
        head = " ".join([directive.name or '""', *map(_word, directive.words)])
        if isinstance(directive, Line):
            yield f"{indent}{head};"
        else:
            yield f"{indent}{head} {{"
            yield from _lines(directive.body, indent + "    ")
            yield f"{indent}}}"


def _word(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    if not word.isascii() or _FORBIDDEN.search(word) or ("$" in word and not isinstance(word, Ours)):
        raise ValueError(f"{word[:60]!a} cannot be written to nginx's configuration")
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
