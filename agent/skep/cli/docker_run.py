"""`docker run`'s arguments, as far as they matter for placement, as a body of `POST /containers/create`. No I/O but --env-file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skep.cli.docker_ports import add_port, expose
from skep.errors import RequestError

__all__ = ["DockerRun", "parse_docker_run"]

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_LONG = {
    "e": "env", "l": "label", "p": "publish", "P": "publish-all", "m": "memory", "c": "cpu-shares", "d": "detach",
    "i": "interactive", "t": "tty", "v": "volume", "h": "hostname", "u": "user", "w": "workdir",
}  # fmt: skip
_FLAGS = {
    "publish-all": "HostConfig.PublishAllPorts",
    "detach": "",
    "interactive": "OpenStdin",
    "tty": "Tty",
    "rm": "HostConfig.AutoRemove",
    "privileged": "HostConfig.Privileged",
    "init": "HostConfig.Init",
    "read-only": "HostConfig.ReadonlyRootfs",
}
_TRUE, _FALSE = ("true", "1", "t", "TRUE", "True"), ("false", "0", "f", "FALSE", "False")


@dataclass(slots=True)
class DockerRun:
    """What was read: the container's name ("" for none) and the body."""

    name: str = ""
    body: dict[str, Any] = field(
        default_factory=lambda: {"Env": [], "Labels": {}, "ExposedPorts": {}, "HostConfig": {}}
    )

    def put(self, path: str, value: object) -> None:
        """Set `Key` or `HostConfig.Key`."""
        target = self.body
        *parents, key = path.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target[key] = value

    def append(self, path: str, value: object) -> None:
        """Append to a list at `Key` or `HostConfig.Key`."""
        target = self.body
        *parents, key = path.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target.setdefault(key, []).append(value)


def parse_docker_run(arguments: Sequence[str]) -> DockerRun:
    """Read the arguments of `docker run`; the words `docker run` before them may be there.

    Raises RequestError naming the argument that is wrong, or a flag that is not known here.
    """
    run = DockerRun()
    rest = iter(_without_command(arguments))
    for argument in rest:
        if argument == "--":
            argument = next(rest, "")
        elif argument.startswith("-") and argument != "-":
            _flag(run, argument, rest)
            continue
        if not argument:
            break
        run.body["Image"] = argument
        command = list(rest)
        if command:
            run.body["Cmd"] = command
        return run
    raise RequestError("no image is named; expected: [FLAGS] IMAGE [COMMAND…], as docker run takes them")


def _without_command(arguments: Sequence[str]) -> Sequence[str]:
    for words in (("docker", "run"), ("docker", "create"), ("docker", "container", "run"), ("run",)):
        if tuple(arguments[: len(words)]) == words:
            return arguments[len(words) :]
    return arguments


def _flag(run: DockerRun, argument: str, rest: Iterator[str]) -> None:
    if argument.startswith("--"):
        name, separator, value = argument[2:].partition("=")
        _long(run, name, value if separator else None, rest, argument)
        return
    letters = argument[1:]
    while letters:
        name = _LONG.get(letters[0], "")
        if not name:
            raise _unknown(f"-{letters[0]}")
        if name not in _FLAGS:
            value = letters[1:].removeprefix("=")
            _long(run, name, value if letters[1:] else None, rest, f"-{letters[0]}")
            return
        equals, letters = letters[1:2] == "=", letters[1:]
        _long(run, name, letters[1:] if equals else None, rest, argument)
        if equals:
            return


def _long(run: DockerRun, name: str, value: str | None, rest: Iterator[str], shown: str) -> None:
    if name in _FLAGS:
        if value is not None and value not in (*_TRUE, *_FALSE):
            raise RequestError(f"{shown}: expected true or false")
        if _FLAGS[name]:
            run.put(_FLAGS[name], value is None or value in _TRUE)
        return
    if name not in _VALUES:
        raise _unknown(shown)
    if value is None:
        value = next(rest, None)
    if value is None:
        raise RequestError(f"{shown}: its value is missing")
    try:
        _VALUES[name](run, value)
    except ValueError as error:
        raise RequestError(f"{shown} {value}: {error}") from None


def _unknown(shown: str) -> RequestError:
    known = ", ".join(sorted(f"--{name}" for name in (*_FLAGS, *_VALUES)))
    return RequestError(
        f"flag {shown.partition('=')[0]} is not known here; leave it out if placement does not depend on it. Known: {known}"
    )


def _env(run: DockerRun, value: str) -> None:
    name, equals, _ = value.partition("=")
    if not name:
        raise ValueError("the variable's name is missing")
    if equals:
        run.append("Env", value)
    elif name in os.environ:
        run.append("Env", f"{name}={os.environ[name]}")


def _env_file(run: DockerRun, value: str) -> None:
    try:
        text = Path(value).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read it: {getattr(error, 'strerror', None) or error}") from None
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            _env(run, line.lstrip())


def _label(run: DockerRun, value: str) -> None:
    key, _, text = value.partition("=")
    if not key:
        raise ValueError("the label's key is missing")
    run.body["Labels"][key] = text


def _size(value: str) -> int:
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("expected a size such as 512m or 2g")
    return int(float(match[1]) * 1024 ** " kmgt".index(match[2].lower().replace("b", "") or " "))


def _memory(run: DockerRun, value: str) -> None:
    run.put("HostConfig.Memory", _size(value))


def _cpu_shares(run: DockerRun, value: str) -> None:
    if not (value.isascii() and value.isdigit()):
        raise ValueError("expected a whole number")
    run.put("HostConfig.CpuShares", int(value))


def _cpus(run: DockerRun, value: str) -> None:
    number = float(value)
    if not 0 <= number < 1e6:
        raise ValueError("expected a number of CPUs such as 1.5")
    run.put("HostConfig.NanoCpus", round(number * 1e9))


def _link(run: DockerRun, value: str) -> None:
    name, _, alias = value.partition(":")
    run.append("HostConfig.Links", f"{name}:{alias or name}")


def _restart(run: DockerRun, value: str) -> None:
    name, _, count = value.partition(":")
    run.put("HostConfig.RestartPolicy", {"Name": name, "MaximumRetryCount": int(count or 0)})


def _name(run: DockerRun, value: str) -> None:
    run.name = value


def _text(path: str) -> Callable[[DockerRun, str], None]:
    return lambda run, value: run.put(path, value)


def _texts(path: str) -> Callable[[DockerRun, str], None]:
    return lambda run, value: run.append(path, value)


_VALUES: dict[str, Callable[[DockerRun, str], None]] = {
    "name": _name,
    "env": _env,
    "env-file": _env_file,
    "label": _label,
    "publish": lambda run, value: add_port(run.body, value),
    "expose": lambda run, value: expose(run.body, value),
    "memory": _memory,
    "cpu-shares": _cpu_shares,
    "cpus": _cpus,
    "link": _link,
    "volumes-from": _texts("HostConfig.VolumesFrom"),
    "net": _text("HostConfig.NetworkMode"),
    "network": _text("HostConfig.NetworkMode"),
    "volume": _texts("HostConfig.Binds"),
    "hostname": _text("Hostname"),
    "user": _text("User"),
    "workdir": _text("WorkingDir"),
    "entrypoint": lambda run, value: run.put("Entrypoint", [value]),
    "restart": _restart,
}
