"""Values as environment variables: names that every shell takes, and lines that `docker run --env-file` reads as they were meant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from skep.errors import ConflictError, RequestError

__all__ = ["env_file", "variables"]

_OTHERS = re.compile(r"[^A-Za-z0-9_]")
_LONGEST_LINE = 65534  # bytes; docker's own command line refuses more
_ENDS = {"\n": "a line's end", "\r": "a line's end", "\0": "a NUL"}


def variables(values: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """Values by names of variables: what no name may have is `_`, as is put before a digit; lists have commas between.

    Sorted by name. Raises ConflictError where two would have one name.
    """
    origins: dict[str, str] = {}
    for key in sorted(values):
        name = _OTHERS.sub("_", key)
        if not name or name[0].isdigit():
            name = f"_{name}"
        if name in origins:
            raise ConflictError(f"{origins[name]} and {key} would both be the variable {name}")
        origins[name] = key
    found = {name: values[key] for name, key in sorted(origins.items())}
    return {name: value if isinstance(value, str) else ",".join(value) for name, value in found.items()}


def env_file(values: Mapping[str, str]) -> str:
    """Variables as a file for `docker run --env-file`, which takes the rest of a line as it is: no quotes, no escapes, no comments.

    Raises RequestError naming the variable that such a file cannot hold: more than one line, NUL, no Unicode, over 65,534 bytes.
    """
    lines = []
    for name, value in values.items():
        for end, what in _ENDS.items():
            if end in value:
                raise RequestError(f"{name} holds {what}, which an env file cannot")
        line = f"{name}={value}"
        try:
            length = len(line.encode())
        except UnicodeEncodeError:
            raise RequestError(f"{name} is not Unicode, as an env file must be") from None
        if length > _LONGEST_LINE:
            raise RequestError(f"{name} takes {length} bytes; docker reads lines of {_LONGEST_LINE} at most")
        lines.append(line + "\n")
    return "".join(lines)
