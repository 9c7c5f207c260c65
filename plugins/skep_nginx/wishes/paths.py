"""VIRTUAL_PATH, VIRTUAL_DEST, VIRTUAL_ROOT, VIRTUAL_PROTO."""

from __future__ import annotations

import re
from typing import cast, get_args

from skep_nginx.model import ROOT, Match, Path, Protocol
from skep_nginx.patterns import check_pattern
from skep_nginx.values import parse_choice, wrong

__all__ = ["PATH_EFFORT", "PATH_LENGTH", "parse_dest", "parse_path", "parse_protocol", "parse_root"]

PATH_LENGTH = 1024
"""The longest path of a request that a regular expression is tried on; a site that has any answers longer ones with 414."""
PATH_EFFORT = 2**20
"""Of one regular expression, in ways of trying it; two repetitions after each other are half of that."""

_LONGEST = 512
_FORM = re.compile(r"(?P<match>=|\^~|~\*|~)?[ \t]*(?P<text>.*)", re.DOTALL)
_PLAIN = re.compile(r"/[A-Za-z0-9/._~!@&'()*+,:=-]*")
_OURS = ("/.well-known/acme-challenge/", "/nginx-proxy-debug")
_PROTOCOLS = get_args(Protocol)


def parse_path(name: str, text: str) -> Path | None:
    """A path as nginx's `location` has it: `/x`, `= /x`, `^~ /x`, `~regex`, `~*regex`; None for "". Raises ValueError."""
    stripped = text.strip(" \t") if len(text) <= 2 * _LONGEST else text
    if not stripped:
        return None
    form = _FORM.fullmatch(stripped)
    match, path = cast("Match", (form and form["match"]) or ""), (form and form["text"]) or ""
    if match not in ("~", "~*"):
        _check_plain(name, path, text)
        if path in _OURS:
            raise wrong(name, text, "this path is the proxy's own")
        return ROOT if path == "/" and match == "^~" else Path(path, match)
    try:
        check_pattern(path, longest=PATH_LENGTH, most=PATH_EFFORT)
    except ValueError as error:
        raise wrong(name, text, str(error)) from None
    return Path(path, match)


def parse_dest(name: str, text: str, path: Path) -> str | None:
    """What replaces the path; None for "". Raises ValueError."""
    dest = text.strip(" \t") if len(text) <= 2 * _LONGEST else text
    if not dest:
        return None
    if path.is_regex:
        raise wrong(name, text, "a path that is a regular expression can have none")
    _check_plain(name, dest, text)
    return dest


def parse_root(name: str, text: str) -> str | None:
    """The folder of FastCGI scripts in the container; None for "". Raises ValueError."""
    root = text.strip(" \t") if len(text) <= 2 * _LONGEST else text
    if not root:
        return None
    _check_plain(name, root, text)
    return root.rstrip("/") or "/"


def parse_protocol(name: str, text: str) -> Protocol | None:
    """What the container speaks; None for "". Raises ValueError."""
    return cast("Protocol | None", parse_choice(name, text, _PROTOCOLS))


def _check_plain(name: str, path: str, text: str) -> None:
    if len(path) > _LONGEST:
        raise wrong(name, text, f"it has {len(path)} characters, at most {_LONGEST} are taken")
    if not _PLAIN.fullmatch(path):
        raise wrong(name, text, "expected a path such as /app/, of letters, digits and ._~!@&'()*+,:=- between slashes")
    # nginx resolves these in requests before it looks for a location, so that none would ever match.
    if "//" in path or any(part in (".", "..") for part in path.split("/")):
        raise wrong(name, text, "expected a path without //, /./ and /../")
