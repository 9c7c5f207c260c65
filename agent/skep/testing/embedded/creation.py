"""From a create request to a container: checked, completed from the image, as the engine does it."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Any

from . import references
from .errors import EngineError
from .networking import Networking
from .state import Container, Image, Json, State, Volume, new_id

CONFIG_DEFAULTS: Json = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}
OPTIONAL = (
    "ExposedPorts",
    "Healthcheck",
    "StopSignal",
    "StopTimeout",
    "Shell",
    "NetworkDisabled",
    "MacAddress",
)
_TYPES: dict[str, type | tuple[type, ...]] = {
    "Env": list,
    "Cmd": (list, str),
    "Entrypoint": (list, str),
    "Labels": dict,
    "ExposedPorts": dict,
    "Volumes": dict,
    "Image": str,
    "Hostname": str,
    "HostConfig": dict,
    "NetworkingConfig": dict,
    "Tty": bool,
    "OpenStdin": bool,
}
_GO = {list: "[]string", dict: "map[string]string", str: "string", bool: "bool"}
_ADJECTIVES = (
    "amber",
    "busy",
    "calm",
    "early",
    "golden",
    "honest",
    "keen",
    "lively",
    "merry",
    "quiet",
    "sunny",
    "wild",
)
_NOUNS = (
    "bee",
    "bloom",
    "clover",
    "comb",
    "drone",
    "heather",
    "hive",
    "linden",
    "meadow",
    "nectar",
    "pollen",
    "queen",
)


def find_image(state: State, reference: str) -> Image:
    """The image of a name, id or prefix of an id. Raises EngineError 404."""
    normal = references.normal(reference)
    bare = reference.removeprefix("sha256:")
    for image in state.images.values():
        if normal in image.tags or normal in image.digests or reference == image.id:
            return image
    for image in state.images.values():
        if len(bare) >= 3 and image.id.removeprefix("sha256:").startswith(bare):
            return image
    raise EngineError(404, f"No such image: {normal}")


def create(state: State, networking: Networking, name: str, body: Mapping[str, Any]) -> Container:
    """Make a container known. Raises EngineError: 400 bad request, 404 image or network missing, 409 name taken."""
    _check_types(body)
    image = find_image(state, body.get("Image") or "")
    host = {
        key: value
        for key, value in (body.get("HostConfig") or {}).items()
        if value not in (None, [], {}, "", 0)
    }
    container_id = new_id(state.containers)
    config = _merged(body, image.config)
    config["Hostname"] = config.get("Hostname") or container_id[:12]
    if not config.get("Cmd") and not config.get("Entrypoint"):
        raise EngineError(400, "No command specified")
    container = Container(container_id, "", image.id, config, host, time.time_ns())
    _connect(state, networking, container, body)
    name = name.removeprefix("/")
    state.claim_name(name or _free_name(state), container_id)
    container.name = name or next(n for n, owner in state.names.items() if owner == container_id)
    _mount(state, container)
    state.containers[container_id] = container
    state.emit_container(container, "create")
    return container


def _check_types(body: Mapping[str, Any]) -> None:
    for key, types in _TYPES.items():
        value = body.get(key)
        if value is not None and not isinstance(value, types):
            kind = _GO[types if isinstance(types, type) else types[0]]
            found = {
                int: "number",
                float: "number",
                dict: "object",
                list: "array",
                bool: "bool",
                str: "string",
            }
            raise EngineError(
                400,
                f"json: cannot unmarshal {found.get(type(value), 'value')} into Go struct field "
                f"ContainerConfigWrapper.{key} of type {kind}",
            )
    for port in body.get("ExposedPorts") or {}:
        number, _, protocol = port.partition("/")
        if not number.replace("-", "").isdigit() or protocol not in ("", "tcp", "udp", "sctp"):
            raise EngineError(400, f"Invalid port specification: {port!r}".replace("'", '"'))


def _merged(body: Mapping[str, Any], image: Json) -> Json:
    """The request's configuration, with what the image adds where the request is silent."""
    config = {
        key: body[key] for key in (*CONFIG_DEFAULTS, *OPTIONAL) if body.get(key) not in (None, "", False, [])
    }
    for key in ("Cmd", "Entrypoint"):
        if isinstance(config.get(key), str):
            config[key] = [config[key]]
    if "Entrypoint" not in config:
        if "Cmd" not in config and image.get("Cmd"):
            config["Cmd"] = image["Cmd"]
        if body.get("Entrypoint") is None and image.get("Entrypoint"):
            config["Entrypoint"] = image["Entrypoint"]
    names = {entry.partition("=")[0] for entry in config.get("Env", ())}
    inherited = [entry for entry in image.get("Env") or () if entry.partition("=")[0] not in names]
    if inherited:
        config["Env"] = [*config.get("Env", ()), *inherited]
    for key in ("Labels", "ExposedPorts", "Volumes"):
        if merged := {**(image.get(key) or {}), **(config.get(key) or {})}:
            config[key] = merged
    for key in ("WorkingDir", "User", "StopSignal", "Healthcheck"):
        if image.get(key) and key not in config:
            config[key] = image[key]
    config.setdefault("Labels", {})
    return config


def _connect(state: State, networking: Networking, container: Container, body: Mapping[str, Any]) -> None:
    mode = container.host.get("NetworkMode") or "default"
    if mode.startswith("container:"):
        state.container(mode.partition(":")[2])
        return
    wanted = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    for key in dict.fromkeys([mode, *wanted]):
        if key in ("default", "bridge") and mode not in ("default", "bridge"):
            continue
        name, endpoint = networking.endpoint(key, wanted.get(key))
        container.networks.setdefault(name, endpoint)
    for link in container.host.get("Links") or ():
        state.container(link.partition(":")[0])


def _mount(state: State, container: Container) -> None:
    wanted: list[Json] = []
    for bind in container.host.get("Binds") or ():
        source, _, rest = bind.partition(":")
        target, _, mode = rest.partition(":")
        wanted.append(
            {"Source": source, "Target": target, "Mode": mode or "z", "RW": "ro" not in mode.split(",")}
        )
    for mount in container.host.get("Mounts") or ():
        row = {"Source": mount.get("Source", ""), "Target": mount.get("Target", ""), "Mode": "z"}
        wanted.append({**row, "RW": not mount.get("ReadOnly", False), "Bind": mount.get("Type") == "bind"})
    for path in container.config.get("Volumes") or ():
        if all(row["Target"] != path for row in wanted):
            wanted.append({"Source": "", "Target": path, "Mode": "", "RW": True})
    container.mounts = [_mounted(state, row) for row in wanted]


def _mounted(state: State, row: Json) -> Json:
    source, mode = row["Source"], row["Mode"]
    shared = {"Destination": row["Target"], "RW": row["RW"]}
    if row.get("Bind") or source.startswith("/"):
        mode = "" if mode == "z" else mode
        return {"Type": "bind", "Source": source, **shared, "Mode": mode, "Propagation": "rprivate"}
    name = source or new_id()
    volume = add_volume(state, name)
    return {
        "Type": "volume",
        "Name": name,
        "Source": mountpoint(name),
        **shared,
        "Driver": volume.driver,
        "Mode": mode,
        "Propagation": "",
        **({} if source else {"Anonymous": True}),
    }


def add_volume(state: State, name: str, **given: Any) -> Volume:
    """The volume of that name, made when it does not exist."""
    if name not in state.volumes:
        state.volumes[name] = Volume(name, time.time_ns(), **given)
        state.events.emit("volume", "create", name, {"driver": state.volumes[name].driver})
    return state.volumes[name]


def mountpoint(name: str) -> str:
    """Where a local volume would lie."""
    return f"/var/lib/docker/volumes/{name}/_data"


def _free_name(state: State) -> str:
    while True:
        name = f"{random.choice(_ADJECTIVES)}_{random.choice(_NOUNS)}"  # noqa: S311 - a name, not a secret
        if name not in state.names:
            return name
        name += str(random.randrange(10_000))  # noqa: S311
        if name not in state.names:
            return name
