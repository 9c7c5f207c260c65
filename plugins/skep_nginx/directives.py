"""nginx's language: a tree of directives, and the one writer that quotes every word.

Only the directives named here can be written, so that nothing that runs code or reads files by itself (`ssl_engine`,
`load_module`, `lua`) can be, whatever a value says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Block", "Directive", "Line", "Ours", "Pattern", "Written", "map_block", "prewrite", "write"]

_DIRECTIVES = """
    access_log add_header allow auth_basic auth_basic_user_file client_body_temp_path client_max_body_size daemon
    default_type deny error_log events fastcgi_ignore_headers fastcgi_index fastcgi_keep_conn fastcgi_param fastcgi_pass
    fastcgi_temp_path grpc_ignore_headers grpc_pass grpc_set_header gzip_types hash http http2 http3 if include ip_hash keepalive
    keepalive_min_timeout large_client_header_buffers least_conn listen location log_format map pid proxy_buffer_size proxy_buffers
    proxy_busy_buffers_size proxy_connect_timeout proxy_http_version proxy_ignore_headers proxy_pass
    proxy_set_header proxy_temp_path random real_ip_header resolver return root scgi_temp_path server server_name
    server_names_hash_bucket_size server_names_hash_max_size server_tokens set_real_ip_from ssl_certificate
    ssl_certificate_key ssl_ciphers ssl_client_certificate ssl_conf_command ssl_crl ssl_dhparam
    ssl_prefer_server_ciphers ssl_protocols ssl_reject_handshake ssl_session_cache ssl_session_tickets
    ssl_session_timeout ssl_stapling ssl_stapling_verify ssl_trusted_certificate ssl_verify_client try_files
    upstream user uwsgi_ignore_headers uwsgi_param uwsgi_pass uwsgi_temp_path worker_connections worker_processes worker_shutdown_timeout
"""
_CASES = ("", "default", "80", "443", "websocket", "https", "GET", "HEAD", "TLSv1", "TLSv1.1", "TLSv1.2")  # of a map
_NAMES = frozenset([*_DIRECTIVES.split(), *_CASES])
_PLAIN = re.compile(r"[A-Za-z0-9_./:*=\[\]-]+")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 4000  # bytes; nginx reads words of up to 4,096
_INDENT = "    "


class Ours(str):
    """Text of this plugin itself, which may use nginx's variables."""


class Pattern(str):
    """A regular expression, where nginx reads one: it looks for no variables there."""


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


@dataclass(frozen=True, slots=True)
class Written:
    """Directives that `prewrite` wrote before, so that they need not be again."""

    text: str


Directive: TypeAlias = Line | Block | Written
"""What a configuration is made of."""


def map_block(source: str, name: str, cases: dict[str, str]) -> Block:
    """Variable `name` by the value of variable `source`: both and the values are this plugin's own text."""
    return Block("map", (Ours(source), Ours(name)), tuple(Line(case, (Ours(value),)) for case, value in cases.items()))


def write(directives: Iterable[Directive]) -> bytes:
    """The text of a configuration. Raises ValueError for what cannot be said."""
    return ("\n".join(_lines(directives, "")) + "\n").encode("ascii")


def prewrite(directives: Iterable[Directive], *, depth: int) -> Written:
    """The text of directives that stand in so many blocks. Raises ValueError for what cannot be said."""
    return Written("\n".join(_lines(directives, _INDENT * depth)))


def _lines(directives: Iterable[Directive], indent: str) -> Iterator[str]:
    for directive in directives:
        if isinstance(directive, Written):
            yield directive.text
            continue
        if directive.name not in _NAMES:
            raise ValueError(f"the directive {directive.name!r} is not one that this plugin writes")
        head = " ".join([directive.name or '""', *map(_word, directive.words)])
        if isinstance(directive, Line):
            yield f"{indent}{head};"
        else:
            yield f"{indent}{head} {{"
            yield from _lines(directive.body, indent + _INDENT)
            yield f"{indent}}}"


def _word(word: str) -> str:
    if _PLAIN.fullmatch(word):
        return word
    variables = "$" in word and not isinstance(word, Ours | Pattern)
    if not word.isascii() or _FORBIDDEN.search(word) or variables:
        raise ValueError(f"{word[:60]!a} cannot be written to nginx's configuration")
    quoted = '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if len(quoted) > _LONGEST:
        raise ValueError(f"{word[:60]!a}... cannot be written to nginx's configuration: it is too long")
    return quoted
