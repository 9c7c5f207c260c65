"""From a create request to a container: checked, completed from the image, as the engine does it."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

from . import references
from .defaults import CONFIG_DEFAULTS, HOST_DEFAULTS, OPTIONAL
from .errors import EngineError
from .networking import Networking
from .routing import go_kind
from .state import Container, Image, Json, State, Volume, new_id

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
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
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


def create(
    state: State, networking: Networking, name: str, body: Mapping[str, Any], *, bad_body: int = 400
) -> Container:
    """Make a container known. Raises EngineError: 404 for a missing image, 409 for a taken name, else 400.

    `bad_body` is the status for fields of a wrong type.
    """
    _check(body, bad_body)
    image = find_image(state, body.get("Image") or "")
    host = _host_config(body.get("HostConfig") or {})
    container_id = new_id(state.containers)
    config = _merged(body, image.config)
    config["Hostname"] = config.get("Hostname") or container_id[:12]
    if not config.get("Cmd") and not config.get("Entrypoint"):
        raise EngineError(400, "No command specified")
    container = Container(container_id, "", image.id, config, host, time.time_ns())
    _connect(state, networking, container, body)
    name = name.removeprefix("/")
    container.name = name or _free_name(state)
    state.claim_name(container.name, container_id)
    _mount(state, container)
    state.containers[container_id] = container
    state.emit_container(container, "create")
    return container


def _check(body: Mapping[str, Any], bad_body: int) -> None:
    for key, types in _TYPES.items():
        value = body.get(key)
        if value is not None and not isinstance(value, types):
            kind = _GO[types if isinstance(types, type) else types[0]]
            field = f"Go struct field ContainerConfigWrapper.{key} of type {kind}"
            raise EngineError(bad_body, f"json: cannot unmarshal {go_kind(value)} into {field}")
    host = body.get("HostConfig") or {}
    policy = (host.get("RestartPolicy") or {}).get("Name") or "no"
    if policy not in ("no", "always", "unless-stopped", "on-failure"):
        raise EngineError(400, f"invalid restart policy '{policy}'")
    if policy != "no" and host.get("AutoRemove"):
        raise EngineError(400, "can't create 'AutoRemove' container with restart policy")
    if 0 < (host.get("Memory") or 0) < 6 * 2**20:
        raise EngineError(400, "Minimum memory limit allowed is 6MB")
    for bind in host.get("Binds") or ():
        source = bind.partition(":")[0]
        if not source.startswith("/") and not _VOLUME_NAME.fullmatch(source):
            raise EngineError(
                400,
                f'create {source}: "{source}" includes invalid characters for a local volume name, only '
                '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. '
                "If you intended to pass a host directory, use absolute path",
            )


def _host_config(given: Mapping[str, Any]) -> Json:
    """What differs from the defaults, completed in its parts."""
    host = {key: value for key, value in given.items() if value is not None and value != HOST_DEFAULTS.get(key)}
    if policy := host.get("RestartPolicy"):
        host["RestartPolicy"] = {
            "Name": policy.get("Name", ""),
            "MaximumRetryCount": policy.get("MaximumRetryCount", 0),
        }
    if "PortBindings" in host:
        host["PortBindings"] = {
            port: [{"HostIp": "", "HostPort": "", **(binding or {})} for binding in bindings or ()]
            for port, bindings in host["PortBindings"].items()
        }
    return host


def _merged(body: Mapping[str, Any], image: Json) -> Json:
    """The request's configuration, with what the image adds where the request is silent."""
    config = {key: body[key] for key in (*CONFIG_DEFAULTS, *OPTIONAL) if body.get(key) not in (None, "", False, [])}
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
    """The networks it will join. Whether they exist is seen when it starts."""
    for link in container.host.get("Links") or ():
        target, _, alias = link.partition(":")
        try:
            linked = state.container(target)
            state.links.setdefault(linked.id, []).append((container, alias or target.removeprefix("/")))
        except EngineError as error:
            raise EngineError(400, f"could not get container for {target}: {error.message}") from None
    for other in container.host.get("VolumesFrom") or ():
        try:
            state.container(other.partition(":")[0])
        except EngineError as error:
            raise EngineError(400, error.message) from None
    mode = container.host.get("NetworkMode") or "default"
    if mode.startswith("container:"):
        if found := state.find_container(mode.partition(":")[2]):
            container.host["NetworkMode"] = f"container:{found.id}"
        return
    wanted = (body.get("NetworkingConfig") or {}).get("EndpointsConfig") or {}
    for key in dict.fromkeys([mode, *wanted]):
        if key not in ("default", "bridge") or mode in ("default", "bridge"):
            name, endpoint = networking.endpoint(key, wanted.get(key))
            container.networks.setdefault(name, endpoint)


def _mount(state: State, container: Container) -> None:
    wanted: list[Json] = []
    for bind in container.host.get("Binds") or ():
        source, _, rest = bind.partition(":")
        target, _, mode = rest.partition(":")
        wanted.append({"Source": source, "Target": target, "Mode": mode or "z", "RW": "ro" not in mode.split(",")})
    for mount in container.host.get("Mounts") or ():
        row = {"Source": mount.get("Source", ""), "Target": mount.get("Target", ""), "Mode": "z"}
        wanted.append({**row, "RW": not mount.get("ReadOnly", False), "Bind": mount.get("Type") == "bind"})
    for path in container.config.get("Volumes") or ():
        if all(row["Target"] != path for row in wanted):
            wanted.append({"Source": "", "Target": path, "Mode": "", "RW": True})
    container.mounts = [_mounted(state, row) for row in wanted]
    for other in container.host.get("VolumesFrom") or ():
        container.mounts += state.container(other.partition(":")[0]).mounts


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
    name = f"{secrets.choice(_ADJECTIVES)}_{secrets.choice(_NOUNS)}"
    while name in state.names:
        name += str(secrets.randbelow(10))
    return name
