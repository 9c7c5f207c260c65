"""The rest: disk usage, registry login, and what only a swarm has."""

from __future__ import annotations

from skep.testing.embedded import images, views
from skep.testing.embedded.creation import find_image
from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.routing import Call, Reply, Routes, answer

from . import volumes

routes = Routes()
_SWARM = ("swarm", "nodes", "services", "tasks", "secrets", "configs")


@routes.add("GET", "/system/df")
async def disk_usage(call: Call) -> Reply:
    """What `docker system df` shows."""
    state = call.engine.state
    used = [container.image_id for container in state.containers.values()]
    shown = [{**images.row(i, call.version, used.count(i.id)), "SharedSize": 0} for i in state.images.values()]
    kept = []
    for volume in state.volumes.values():
        usage = {"RefCount": len(state.users_of_volume(volume.name)), "Size": 0}
        kept.append({**volumes.view(volume), "UsageData": usage})
    return answer(
        {
            "LayersSize": sum(image.size for image in state.images.values()),
            "Images": shown,
            "Containers": [{**views.row(state, c, call.version), "SizeRootFs": 0} for c in state.containers.values()],
            "Volumes": kept,
            "BuildCache": None,
            "BuilderSize": 0,
        }
    )


@routes.add("POST", "/auth")
async def auth(call: Call) -> Reply:
    """Every name and password will do; none at all will not."""
    body = await call.json()
    if not body.get("username") and not body.get("identitytoken"):
        raise EngineError(401, "unauthorized: incorrect username or password")
    return answer({"Status": "Login Succeeded", "IdentityToken": ""})


@routes.add("GET", "/plugins")
async def plugins(call: Call) -> Reply:
    """None."""
    return answer([])


@routes.add("GET", "/distribution/{name:path}/json")
async def distribution(call: Call) -> Reply:
    """What a registry would tell of an image."""
    image = find_image(call.engine.state, call.names["name"])
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    platform = {"architecture": "amd64", "os": "linux"}
    return answer({"Descriptor": {"mediaType": kind, "digest": image.id, "size": 527}, "Platforms": [platform]})


async def _no_swarm(call: Call) -> Reply:
    """Answers all that only a swarm's manager can."""
    if call.path == "/swarm/leave":
        raise EngineError(503, "This node is not part of a swarm")
    how = 'Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'
    raise EngineError(503, f"This node is not a swarm manager. {how}")


for _subject in _SWARM:
    for _method in ("GET", "POST", "DELETE"):
        routes.add(_method, f"/{_subject}", f"/{_subject}/{{rest:path}}")(_no_swarm)
