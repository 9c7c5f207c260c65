"""Queries and paths of requests to an engine."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from skep.errors import RequestError

__all__ = ["Query", "encode_query", "target"]

Query = Mapping[str, object] | str | None
"""A query: a mapping, or a string that is already encoded and sent as it is.

In a mapping True and False become 1 and 0, maps and lists become JSON (as `filters` wants), None is left out.
"""

_PATH = re.compile(r"/[!-~]*", re.ASCII)
_QUERY = re.compile(r"[!-~]*", re.ASCII)


def target(path: str, query: Query, version: str) -> str:
    """What stands in the request line: version, path and query.

    Raises RequestError for what cannot stand there.
    """
    encoded = query if isinstance(query, str) else encode_query(query)
    if not _PATH.fullmatch(path) or "?" in path or "#" in path:
        raise RequestError(f"invalid path {path[:200]!r}: characters that must be percent-encoded")
    if not _QUERY.fullmatch(encoded) or "#" in encoded:
        raise RequestError(f"invalid query {encoded[:200]!r}: characters that must be percent-encoded")
    return f"{f'/v{version}' if version else ''}{path}{'?' if encoded else ''}{encoded}"


def encode_query(query: Mapping[str, object] | None) -> str:
    """Encode a mapping as `Query` says."""
    pairs = []
    for key, value in (query or {}).items():
        if isinstance(value, bool):
            pairs.append((key, "1" if value else "0"))
        elif isinstance(value, Mapping | list | tuple):
            pairs.append((key, json.dumps(value, separators=(",", ":"))))
        elif value is not None:
            pairs.append((key, str(value)))
    return urlencode(pairs)
