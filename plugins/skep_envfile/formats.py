"""The five formats: each reader gets exactly the values, or the value is refused by its variable's name. Pure.

- docker: `docker run --env-file` takes the rest of a line as it is.
- compose: Docker Compose 2 (compose-go's dotenv). `'…'` is taken as it is; in `"…"` there are escapes, also of `$`. Compose 1, whose
  reader is python-dotenv, has the same values but those that hold `${`, two backslashes in a row, or `$` beside a quote or a line's end.
- systemd: `EnvironmentFile=`. In `"…"` a backslash takes the meaning of `"`, a backslash, a backtick and `$`. It leaves out variables with
  control characters, which are refused therefore, but tab and line feed.
- shell: `. file`. `'…'` is taken as it is; `'\\''` stands for a quote.
- json: an object of texts.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from skep import ConflictError, RequestError, env_file
from skep_envfile.settings import Format, OnMultiline
from skep_envfile.values import Gathered

__all__ = ["chunks", "fit", "write"]

_LONGEST = 131_071  # bytes of NAME=value; Linux hands no longer one to a process
_CONTROLS = re.compile(r"[\x01-\x08\x0b-\x1f\x7f]")
_READ_ONLY = frozenset({"UID", "EUID", "PPID", "BASH_VERSINFO"})
_ESCAPES = {"\\": r"\\", '"': r"\"", "$": r"\$", "\n": r"\n", "\r": r"\r"}


def fit(gathered: Gathered, form: Format, on_multiline: OnMultiline) -> Gathered:
    """What a file of this format can hold: values of several lines by the file's policy. Raises RequestError naming the variable."""
    values: dict[str, str] = {}
    warnings = list(gathered.warnings)
    secret = set(gathered.secret)
    for name, value in gathered.values.items():
        if "\n" in value or "\r" in value:
            if on_multiline == "refuse":
                other = "skip and base64" if form == "docker" else "skip, escape and base64"
                raise RequestError(f"{name} has several lines; on_multiline says what becomes of it: {other}")
            if on_multiline == "skip":
                warnings.append(f"{name} has several lines, and is left out")
                continue
            if on_multiline == "base64":
                encoded = f"{name}_B64"
                if encoded in gathered.values:
                    raise ConflictError(f"{name} in base64 would be the variable {encoded}, which there is")
                values[encoded] = base64.b64encode(value.encode("utf-8", "surrogatepass")).decode()
                secret |= {encoded} if name in secret else set()
                continue
        values[name] = value
    return replace(
        gathered, values=dict(sorted(values.items())), secret=frozenset(secret & set(values)), warnings=tuple(warnings)
    )


def write(values: Mapping[str, str], form: Format, title: str = "") -> bytes:
    """The file. `title` is its first line, a comment, where the format has comments. Raises RequestError naming the variable."""
    for name, value in values.items():
        _check(name, value, form)
    if form == "json":
        return (json.dumps(dict(values), indent=2, ensure_ascii=False) + "\n").encode()
    comment = f"# {title}\n" if title else ""
    if form == "docker":
        return (comment + env_file(values)).encode()
    line = _LINES[form]
    return (comment + "".join(f"{line(name, value)}\n" for name, value in values.items())).encode()


def _check(name: str, value: str, form: Format) -> None:
    if "\0" in value:
        raise RequestError(f"{name} holds a NUL, which no environment can")
    try:
        length = len(f"{name}={value}".encode())
    except UnicodeEncodeError:
        raise RequestError(f"{name} is not Unicode, as an env file must be") from None
    if length > _LONGEST:
        raise RequestError(f"{name} takes {length} bytes, of {_LONGEST} that a process can be handed")
    if form == "systemd" and (found := _CONTROLS.search(value)):
        raise RequestError(f"{name} holds the control character {found[0]!r}; systemd would leave the variable out")
    if form == "compose" and value.endswith("\\"):
        raise RequestError(
            f"{name} ends with a backslash; some releases of Docker Compose take the quote after it for a part of it"
        )
    if form == "shell" and name in _READ_ONLY:
        raise RequestError(f"{name} cannot be set in bash; exclude it or rename it")


def _compose(name: str, value: str) -> str:
    if not re.search(r"['\n\r]", value):
        return f"{name}='{value}'"
    escaped = "".join(_ESCAPES.get(each, each) for each in value)
    return f'{name}="{escaped}"'


def _systemd(name: str, value: str) -> str:
    escaped = re.sub(r'([\\"`$])', r"\\\1", value)
    return f'{name}="{escaped}"'


def _shell(name: str, value: str) -> str:
    escaped = value.replace("'", "'\\''")
    return f"export {name}='{escaped}'"


_LINES: Mapping[str, Callable[[str, str], str]] = {"compose": _compose, "systemd": _systemd, "shell": _shell}

_NAMED = r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)="
_DOUBLE = r'"(?:[^"\\]|\\.)*"'
_PATTERNS = {
    "docker": re.compile(rf"^{_NAMED}(?P<rest>[^\n]*)$", re.M),
    "compose": re.compile(rf"^{_NAMED}(?P<rest>'[^'\n]*'|{_DOUBLE})$", re.M | re.S),
    "systemd": re.compile(rf"^{_NAMED}(?P<rest>{_DOUBLE})$", re.M | re.S),
    "shell": re.compile(rf"^export {_NAMED}(?P<rest>'(?:[^']|'\\'')*')$", re.M),
}


def chunks(data: bytes, form: Format) -> dict[str, str]:
    """What stands for each variable in a file that `write` has written; of any other file as much as looks so."""
    text = data.decode("utf-8", "replace")
    if form == "json":
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return {}
        return {name: json.dumps(each) for name, each in found.items()} if isinstance(found, dict) else {}
    return {match["name"]: match["rest"] for match in _PATTERNS[form].finditer(text)}
