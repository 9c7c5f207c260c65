"""Readers of env files: the programs themselves where they are at hand, and their rules written down."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

SYSTEMD = Path("/usr/lib/systemd/user-environment-generators/30-systemd-environment-d-generator")


def read_docker(data: bytes) -> dict[str, str]:
    """The rules of `docker run --env-file`, as docs and measurements have them."""
    found = {}
    for line in data.decode().removeprefix("\ufeff").split("\n"):
        text = line.removesuffix("\r").lstrip()
        if text and not text.startswith("#"):
            name, equals, value = text.partition("=")
            assert equals, "a name alone is taken from docker's own environment"
            assert not re.search(r"\s", name)
            found[name] = value
    return found


def read_json(data: bytes) -> dict[str, str]:
    found = json.loads(data)
    assert isinstance(found, dict)
    return found


def read_compose(data: bytes) -> dict[str, str]:
    """The rules of compose-go's dotenv, for quoted values; an unquoted one fails."""
    text, found, at = data.decode().replace("\r\n", "\n"), {}, 0
    while at < len(text):
        if text[at] == "\n":
            at += 1
        elif text[at] == "#":
            at = text.index("\n", at)
        else:
            end = text.index("=", at)
            name, (value, at) = text[at:end], _compose_value(text, end + 1)
            assert re.fullmatch(r"[A-Za-z0-9_.]+", name)
            assert text[at] == "\n"
            found[name] = value
    return found


def _compose_value(text: str, at: int) -> tuple[str, int]:
    quote, chars, escaped = text[at], "", False
    assert quote in "'\""
    while True:
        at += 1
        char = text[at]
        if escaped:
            chars += char if char == quote else f"\\{char}"
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == quote:
            return (chars if quote == "'" else _compose_expanded(chars)), at + 1
        else:
            chars += char


def _compose_expanded(chars: str) -> str:
    named = {
        "a": "\a",
        "b": "\b",
        "c": "c",
        "f": "\f",
        "n": "\n",
        "r": "\r",
        "t": "\t",
        "v": "\v",
        '"': '"',
        "\\": "\\",
    }

    def escape(match: re.Match[str]) -> str:
        what = match[1]
        if what == "$":
            return "$$"
        return named[what] if what in named else chr(int(what, 8))

    text = re.sub(r'\\([abcfnrtv$"\\]|0\d{0,3})', escape, chars)
    assert not re.search(r"(?<!\$)(\$\$)*\$(?!\$)", text), "a variable would be put in"
    return text.replace("$$", "$")


def read_systemd(data: bytes) -> dict[str, str]:
    """The rules of `EnvironmentFile=` in systemd.exec(5), for values in double quotes; another one fails."""
    text, found, at = data.decode(), {}, 0
    while at < len(text):
        if text[at] in "#;":
            at = text.index("\n", at) + 1
            continue
        end = text.index("=", at)
        name, at, value = text[at:end], end + 2, ""
        assert text[end + 1] == '"'
        while text[at] != '"':
            if text[at] == "\\":
                at += 1
                value += text[at] if text[at] in '"\\`$' else "" if text[at] == "\n" else f"\\{text[at]}"
            else:
                value += text[at]
            at += 1
        assert text[at + 1] == "\n"
        assert not re.search(r"[\x01-\x08\x0b-\x1f\x7f]", value), "systemd leaves such a variable out"
        found[name] = value
        at += 2
    return found


def read_systemd_itself(data: bytes, folder: Path) -> dict[str, str]:
    """What systemd's own reader has of variables V_…. It is that of environment.d, which also puts variables in: `$$` stands for `$`."""
    (folder / "environment.d").mkdir(exist_ok=True)
    (folder / "environment.d" / "it.conf").write_bytes(data)
    printed = _ran([str(SYSTEMD)], {"XDG_CONFIG_HOME": str(folder), "HOME": str(folder), "PATH": os.environ["PATH"]})
    found = {}
    for line in printed.decode().split("\n"):
        if line.startswith("V_"):  # the machine has some of its own
            name, _, value = line.partition("=")
            found[name] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    return found


def read_shell(data: bytes, shell: str, folder: Path) -> dict[str, str]:
    """What a program that is started by a shell has, after the shell has read the file."""
    file = folder / "it.sh"
    file.write_bytes(data)
    printed = _ran([shell, "-c", f'. "{file}" && exec /usr/bin/env -0'], {"LC_ALL": "C.UTF-8"})
    pairs = [each.split(b"=", 1) for each in printed.removesuffix(b"\0").split(b"\0")]
    own = {"PWD", "OLDPWD", "SHLVL", "_", "LC_ALL"}
    return {name.decode(): value.decode() for name, value in pairs if name.decode() not in own}


def _ran(command: list[str], environ: Mapping[str, str]) -> bytes:
    done = subprocess.run(command, env=dict(environ), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return done.stdout
