"""Containers: list, create, inspect, and the calls that move them from state to state."""

from __future__ import annotations

from skep.testing.embedded import creation, views
from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.routing import Call, Reply, Routes, answer, nothing
from skep.testing.embedded.state import Container

from .filters import labels_fit, listed

routes = Routes()
EMPTY_OBJECT = 7  # bytes: what a real engine passes over as an empty body


def named(call: Call) -> Container:
    """The container that the path names. Raises EngineError 404."""
    return call.engine.state.container(call.names["name"])


@routes.add("GET", "/containers/json", "/containers/ps")
async def list_(call: Call) -> Reply:
    """The rows of `docker ps`."""
    state = call.engine.state
    rows = [views.row(state, container, call.version) for container in listed(call)]
    if call.flag("size"):
        rows = [{**row, "SizeRw": 0, "SizeRootFs": state.images[row["ImageID"]].size} for row in rows]
    return answer(rows)


@routes.add("POST", "/containers/create")
async def create(call: Call) -> Reply:
    """Make a container."""
    body = await call.json()
    if not body:
        raise EngineError(400, "Config cannot be empty in order to create a container")
    engine, name = call.engine, call.text("name")
    container = creation.create(engine.state, engine.networking, name, body, bad_body=call.bad_body)
    return answer({"Id": container.id, "Warnings": []}, 201)


@routes.add("GET", "/containers/{name}/json")
async def inspect(call: Call) -> Reply:
    """All about one container."""
    found = views.inspection(call.engine.state, named(call), call.version)
    if call.flag("size"):
        found |= {"SizeRw": 0, "SizeRootFs": 1_982_256}
    return answer(found)


@routes.add("POST", "/containers/{name}/start")
async def start(call: Call) -> Reply:
    """Start it; 304 when it runs. A body, of old clients, is refused."""
    if (call.request.content_length or 0) > EMPTY_OBJECT and call.version >= (1, 24):
        why = "was deprecated since API v1.22 and removed in v1.24"
        raise EngineError(400, f"starting container with non-empty request body {why}")
    container = named(call)
    return nothing(204 if call.engine.lifecycle.start(container) else 304)


@routes.add("POST", "/containers/{name}/stop")
async def stop(call: Call) -> Reply:
    """Stop it; 304 when it does not run."""
    return nothing(204 if call.engine.lifecycle.stop(named(call)) else 304)


@routes.add("POST", "/containers/{name}/restart")
async def restart(call: Call) -> Reply:
    """Stop and start it."""
    call.engine.lifecycle.restart(named(call))
    return nothing()


@routes.add("POST", "/containers/{name}/kill")
async def kill(call: Call) -> Reply:
    """Send it a signal."""
    call.engine.lifecycle.kill(named(call), call.text("signal") or "KILL")
    return nothing()


@routes.add("POST", "/containers/{name}/pause")
async def pause(call: Call) -> Reply:
    """Freeze it."""
    call.engine.lifecycle.pause(named(call))
    return nothing()


@routes.add("POST", "/containers/{name}/unpause")
async def unpause(call: Call) -> Reply:
    """Let it go on."""
    call.engine.lifecycle.unpause(named(call))
    return nothing()


@routes.add("POST", "/containers/{name}/rename")
async def rename(call: Call) -> Reply:
    """Give it another name."""
    container, name = named(call), call.text("name").removeprefix("/")
    if not name:
        raise EngineError(400, "Neither old nor new names may be empty")
    if name == container.name:
        raise EngineError(400, "Renaming a container with the same name as its current name")
    call.engine.lifecycle.rename(container, name)
    return nothing()


@routes.add("DELETE", "/containers/{name}")
async def remove(call: Call) -> Reply:
    """Remove it; with `link`, only the name by which another container links to it."""
    if call.flag("link"):
        raise EngineError(500, "Conflict, cannot remove the default link name of the container")
    call.engine.lifecycle.remove(named(call), force=call.flag("force"), volumes=call.flag("v"))
    return nothing()


@routes.add("POST", "/containers/{name}/update")
async def update(call: Call) -> Reply:
    """Change limits and the restart policy."""
    container = named(call)
    body = await call.json()
    container.host.update({key: value for key, value in body.items() if value not in (None, 0, "", [], {})})
    container.changed()
    call.engine.state.emit_container(container, "update")
    return answer({"Warnings": None})


@routes.add("POST", "/containers/prune")
async def prune(call: Call) -> Reply:
    """Remove all that do not run."""
    engine = call.engine
    wanted = call.filters(("label", "label!", "until")).get("label", [])
    gone = [
        container
        for container in engine.state.containers.values()
        if not container.running and labels_fit(container.config["Labels"], wanted)
    ]
    for container in gone:
        engine.lifecycle.remove(container)
    engine.state.events.emit("container", "prune", "", {"reclaimed": "0"})
    return answer({"ContainersDeleted": [container.id for container in gone] or None, "SpaceReclaimed": 0})
