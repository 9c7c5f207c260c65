"""JSON read so that every reader of it reads the same: what decoders disagree on is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec

from skep.errors import RequestError

__all__ = ["strict_json"]

_DEEPEST = 100  # Docker's own bodies have eight levels


def strict_json(data: bytes, what: str) -> dict[str, Any]:
    """Decode one JSON object; `what` it is stands in errors (`invalid WHAT: …`).

    Raises RequestError (400), naming the place where it can, for anything else, a byte order mark, invalid UTF-8, half a surrogate pair, a key that comes twice
    in one object, a number that JSON or a double does not have, and more than 100 levels.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise RequestError(f"invalid {what}: it begins with a byte order mark: expected {{")
    try:
        msgspec.json.decode(data, type=dict[str, msgspec.Raw])  # strict, and tells the place
        found: dict[str, Any] = json.loads(
            data, object_pairs_hook=_object, parse_constant=_no_number, parse_float=_float
        )
        if data.count(b"[") + data.count(b"{") > _DEEPEST:
            _check_depth(found)
        if b"\\u" in data:
            msgspec.json.encode(found)  # refuses half a surrogate pair
    except msgspec.MsgspecError as error:
        raise RequestError(f"invalid {what}: {error}") from None
    except RecursionError:
        raise RequestError(f"invalid {what}: it is nested too deeply") from None
    except UnicodeEncodeError:
        raise RequestError(f"invalid {what}: half a surrogate pair is no text") from None
    except ValueError as error:
        raise RequestError(f"invalid {what}: {error}") from None
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:60]!r} comes twice in one object")
    return found


def _check_depth(body: dict[str, Any]) -> None:
    level: list[Any] = [body]
    for _ in range(_DEEPEST):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise RecursionError


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number
