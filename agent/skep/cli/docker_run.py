"""`docker run`'s arguments, as far as they matter for placement, as a body of `POST /containers/create`. No I/O but files that they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from skep.cli.docker_flags import SHORT, SWITCHES, UNREAD, boolean, csv_fields, key_values, nano_cpus, size, whole
from skep.cli.docker_ports import add_port, expose
from skep.errors import RequestError

__all__ = ["DockerRun", "parse_docker_run"]


@dataclass(slots=True)
class DockerRun:
    """What was read: the container's name ("" for none) and the body."""

    name: str = ""
    body: dict[str, Any] = field(
        default_factory=lambda: {"Env": [], "Labels": {}, "ExposedPorts": {}, "HostConfig": {}}
    )
    env: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    networks: list[str] = field(default_factory=list)

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
        _finish(run)
        return run
    raise RequestError("no image is named; expected: [FLAGS] IMAGE [COMMAND…], as docker run takes them")


def _without_command(arguments: Sequence[str]) -> Sequence[str]:
    for words in (("docker", "run"), ("docker", "create"), ("docker", "container", "run"), ("run",)):
        if tuple(arguments[: len(words)]) == words:
            return arguments[len(words) :]
    return arguments


def _finish(run: DockerRun) -> None:
    """Put in what depends on several flags: what files hold comes before what flags say, and links belong to a network."""
    run.body["Env"] += run.env
    run.body["Labels"] |= dict(text.partition("=")[::2] for text in run.labels)
    host = run.body["HostConfig"]
    host["NetworkMode"] = run.networks[0] if run.networks else "default"
    own = [name for name in run.networks if name not in _GIVEN_NETWORKS and not name.startswith("container:")]
    if own and len(own) < len(run.networks):
        raise RequestError(
            f"--network {' and '.join(run.networks)}: networks of one's own and Docker's do not go together"
        )
    if own or len(run.networks) > 1:
        run.body["NetworkingConfig"] = {"EndpointsConfig": {name: {} for name in run.networks}}
    if run.links:
        host["Links"] = run.links
    if run.links and own:
        run.body["NetworkingConfig"]["EndpointsConfig"][own[0]] = {"Links": run.links}


def _flag(run: DockerRun, argument: str, rest: Iterator[str]) -> None:
    if argument.startswith("--"):
        name, separator, value = argument[2:].partition("=")
        _long(run, name, value if separator else None, rest, argument)
        return
    letters = argument[1:]
    while letters:
        name, more = SHORT.get(letters[0], ""), letters[1:]
        shown = f"-{letters[0]}"
        if not name:
            raise _unknown(shown)
        if name in SWITCHES and not more.startswith("="):
            _long(run, name, None, rest, shown)
            letters = more
            continue
        _long(run, name, more.removeprefix("=") if more else None, rest, shown)
        return


def _long(run: DockerRun, name: str, value: str | None, rest: Iterator[str], shown: str) -> None:
    try:
        if name in SWITCHES:
            on = boolean("true" if value is None else value)
            if SWITCHES[name]:
                run.put(SWITCHES[name], on)
            return
        if name not in _VALUES and name not in UNREAD:
            raise _unknown(shown)
        if value is None:
            value = next(rest, None)
        if value is None:
            raise RequestError(f"{shown}: its value is missing")
        if name in _VALUES:
            _VALUES[name](run, value)
    except ValueError as error:
        raise RequestError(f"{shown} {value}: {error}") from None


def _unknown(shown: str) -> RequestError:
    from skep.settings import nearest

    known = [f"--{name}" for name in (*SWITCHES, *_VALUES, *UNREAD)]
    flag = shown.partition("=")[0]
    hint = f"; {nearest(flag, known)}" if flag.startswith("--") else ""
    return RequestError(f"docker run has no flag {flag}{hint if 'did you mean' in hint else ''}")


def _env(run: DockerRun, value: str) -> None:
    name, equals, _ = value.partition("=")
    if not name:
        raise ValueError("the variable's name is missing")
    run.env.append(f"{name}={os.environ[name]}" if not equals and name in os.environ else value)


def _env_file(run: DockerRun, value: str) -> None:
    run.body["Env"] += key_values(value, environment=True)


def _label(run: DockerRun, value: str) -> None:
    if not value.partition("=")[0]:
        raise ValueError("the label's key is missing")
    run.labels.append(value)


def _label_file(run: DockerRun, value: str) -> None:
    run.body["Labels"] |= dict(text.partition("=")[::2] for text in key_values(value, environment=False))


def _link(run: DockerRun, value: str) -> None:
    parts = value.split(":")
    if not value or len(parts) > 2:
        raise ValueError("expected NAME or NAME:ALIAS")
    run.links.append(value)


def _network(run: DockerRun, value: str) -> None:
    """`name`, or `name=net,alias=web,ip=10.0.0.2`."""
    if "=" in value:
        value = (csv_fields(value).get("name") or [""])[0]
        if not value:
            raise ValueError("name= is missing")
    run.networks.append(value)


def _mount(run: DockerRun, value: str) -> None:
    fields = csv_fields(value)

    def one(*names: str) -> str:
        return next((each for name in names for each in fields.get(name, [])), "")

    mount = {
        "Type": one("type") or "volume",
        "Source": one("source", "src"),
        "Target": one("target", "dst", "destination"),
    }
    if not mount["Target"]:
        raise ValueError("target= is missing")
    run.append("HostConfig.Mounts", {key: text for key, text in mount.items() if text})


def _volume(run: DockerRun, value: str) -> None:
    source, colon, rest = value.partition(":")
    if (
        len(source) == 1 and source.isalpha() and rest[:1] in ("/", "\\")
    ):  # a drive of Windows to docker, wherever it runs
        path, colon, rest = rest.partition(":")
        source = f"{source}:{path}"
    if not colon:
        run.body.setdefault("Volumes", {})[value] = {}
        return
    source = os.path.abspath(source) if source.startswith(("./", "../")) or source in (".", "..") else source  # noqa: PTH100  as docker does, links stay
    if f"{source}:{rest}" not in run.body["HostConfig"].get("Binds", ()):
        run.append("HostConfig.Binds", f"{source}:{rest}")


def _restart(run: DockerRun, value: str) -> None:
    name, colon, count = value.partition(":")
    run.put("HostConfig.RestartPolicy", {"Name": name, "MaximumRetryCount": int(count) if colon else 0})


def _name(run: DockerRun, value: str) -> None:
    run.name = value


def _text(path: str) -> Callable[[DockerRun, str], None]:
    return lambda run, value: run.put(path, value)


_VALUES: dict[str, Callable[[DockerRun, str], None]] = {
    "name": _name,
    "env": _env,
    "env-file": _env_file,
    "label": _label,
    "label-file": _label_file,
    "publish": lambda run, value: add_port(run.body, value),
    "expose": lambda run, value: expose(run.body, value),
    "memory": lambda run, value: run.put("HostConfig.Memory", size(value)),
    "memory-reservation": lambda run, value: run.put("HostConfig.MemoryReservation", size(value)),
    "cpu-shares": lambda run, value: run.put("HostConfig.CpuShares", whole(value)),
    "cpus": lambda run, value: run.put("HostConfig.NanoCpus", nano_cpus(value)),
    "cpuset-cpus": _text("HostConfig.CpusetCpus"),
    "link": _link,
    "volumes-from": lambda run, value: run.append("HostConfig.VolumesFrom", value),
    "net": _network,
    "network": _network,
    "pid": _text("HostConfig.PidMode"),
    "ipc": _text("HostConfig.IpcMode"),
    "uts": _text("HostConfig.UTSMode"),
    "volume": _volume,
    "mount": _mount,
    "hostname": _text("Hostname"),
    "user": _text("User"),
    "workdir": _text("WorkingDir"),
    "entrypoint": lambda run, value: run.put("Entrypoint", [value]),
    "restart": _restart,
}
_GIVEN_NETWORKS = ("default", "bridge", "host", "none", "nat", "")
