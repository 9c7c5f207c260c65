"""Volumes: list, inspect, create, remove."""

from __future__ import annotations

from skep.testing.embedded.creation import add_volume, mountpoint
from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.routing import Call, Reply, Routes, answer, nothing
from skep.testing.embedded.state import Json, Volume, new_id
from skep.testing.embedded.times import rfc3339

from .filters import labels_fit, matches

routes = Routes()


def view(volume: Volume) -> Json:
    """A volume as the API shows it."""
    return {
        "CreatedAt": rfc3339(volume.created // 1_000_000_000 * 1_000_000_000),
        "Driver": volume.driver,
        "Labels": volume.labels,
        "Mountpoint": mountpoint(volume.name),
        "Name": volume.name,
        "Options": volume.options,
        "Scope": "local",
    }


@routes.add("GET", "/volumes")
async def list_(call: Call) -> Reply:
    """The rows of `docker volume ls`."""
    filters = call.filters(("dangling", "driver", "label", "name"))
    state = call.engine.state
    dangling = filters.get("dangling", [""])[0].lower()
    found = []
    for volume in state.volumes.values():
        unused = not state.users_of_volume(volume.name)
        if (
            ("name" not in filters or matches(filters["name"], [volume.name]))
            and ("driver" not in filters or volume.driver in filters["driver"])
            and labels_fit(volume.labels or {}, filters.get("label", []))
            and (not dangling or unused == (dangling in ("true", "1")))
        ):
            found.append(view(volume))
    return answer({"Volumes": found, "Warnings": None})


@routes.add("POST", "/volumes/create")
async def create(call: Call) -> Reply:
    """Make a volume; one of that name stays as it is."""
    body = await call.json()
    driver = body.get("Driver") or "local"
    if driver != "local":
        raise EngineError(404, f"create {body.get('Name')}: error looking up volume plugin {driver}: plugin not found")
    labels, options = body.get("Labels") or None, body.get("DriverOpts") or None
    volume = add_volume(call.engine.state, body.get("Name") or new_id(), labels=labels, options=options)
    return answer(view(volume), 201)


@routes.add("POST", "/volumes/prune")
async def prune(call: Call) -> Reply:
    """Remove those that no container mounts."""
    state = call.engine.state
    gone = [name for name in state.volumes if not state.users_of_volume(name)]
    for name in gone:
        del state.volumes[name]
        state.events.emit("volume", "destroy", name, {"driver": "local"})
    state.events.emit("volume", "prune", "", {"reclaimed": "0"})
    return answer({"VolumesDeleted": gone or None, "SpaceReclaimed": 0})


@routes.add("GET", "/volumes/{name}")
async def inspect(call: Call) -> Reply:
    """One volume."""
    return answer(view(call.engine.state.volume(call.names["name"])))


@routes.add("DELETE", "/volumes/{name}")
async def remove(call: Call) -> Reply:
    """Remove a volume that no container mounts."""
    state, name = call.engine.state, call.names["name"]
    state.volume(name)
    if users := state.users_of_volume(name):
        ids = ", ".join(container.id for container in users)
        raise EngineError(409, f"remove {name}: volume is in use - [{ids}]")
    del state.volumes[name]
    state.events.emit("volume", "destroy", name, {"driver": "local"})
    return nothing()
