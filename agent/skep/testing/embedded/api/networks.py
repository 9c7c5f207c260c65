"""Networks: list, inspect, create, connect, disconnect, remove."""

from __future__ import annotations

import time

from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.routing import Call, Reply, Routes, answer, nothing
from skep.testing.embedded.state import Json, Network, State, new_id
from skep.testing.embedded.times import rfc3339

from .filters import labels_fit, matches

routes = Routes()
PREDEFINED = ("bridge", "host", "none")
DRIVERS = ("bridge", "host", "macvlan", "ipvlan", "null", "overlay")


def view(state: State, network: Network, *, full: bool) -> Json:
    """A network as the API shows it; lists leave its containers out."""
    config: list[Json] = []
    if network.subnet:
        config = [{"Subnet": network.subnet}]
        if network.name != "bridge":
            config[0]["Gateway"] = network.subnet.replace(".0.0/16", ".0.1")
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": rfc3339(network.created),
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": config},
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": _members(state, network) if full else {},
        "Options": network.options,
        "Labels": network.labels,
    }


def _members(state: State, network: Network) -> Json:
    return {
        container.id: {
            "Name": container.name,
            "EndpointID": end.endpoint_id,
            "MacAddress": end.mac,
            "IPv4Address": f"{end.address}/{end.prefix}" if end.address else "",
            "IPv6Address": "",
        }
        for container in state.containers.values()
        for end in container.networks.values()
        if end.network_id == network.id and end.endpoint_id
    }


@routes.add("GET", "/networks")
async def list_(call: Call) -> Reply:
    """The rows of `docker network ls`."""
    filters = call.filters(("dangling", "driver", "id", "label", "name", "scope", "type"))
    state = call.engine.state
    found = []
    for network in state.networks.values():
        texts = {"name": network.name, "id": network.id}
        kind = "builtin" if network.name in PREDEFINED else "custom"
        exact = {"driver": network.driver, "scope": "local", "type": kind}
        if (
            all(matches(filters[key], [text]) for key, text in texts.items() if key in filters)
            and all(text in filters[key] for key, text in exact.items() if key in filters)
            and labels_fit(network.labels, filters.get("label", []))
        ):
            found.append(view(state, network, full=False))
    return answer(found)


@routes.add("POST", "/networks/create")
async def create(call: Call) -> Reply:
    """Make a network."""
    body = await call.json()
    name, driver = body.get("Name") or "", body.get("Driver") or "bridge"
    state = call.engine.state
    if not name:
        raise EngineError(500, "invalid name: ")
    if name in PREDEFINED:
        raise EngineError(403, f"operation is not permitted on predefined {name} network ")
    if any(network.name == name for network in state.networks.values()):
        raise EngineError(409, f"network with name {name} already exists")
    if driver not in DRIVERS:
        raise EngineError(404, f'could not find plugin {driver} in v1 plugin registry: plugin "{driver}" not found')
    pools = (body.get("IPAM") or {}).get("Config") or [{}]
    network = Network(
        new_id(),
        name,
        driver,
        time.time_ns(),
        subnet=pools[0].get("Subnet", ""),
        labels=body.get("Labels") or {},
        options=body.get("Options") or {},
        internal=bool(body.get("Internal")),
        attachable=bool(body.get("Attachable")),
    )
    call.engine.networking.add(network)
    state.events.emit("network", "create", network.id, {"name": name, "type": driver})
    return answer({"Id": network.id, "Warning": ""}, 201)


@routes.add("POST", "/networks/prune")
async def prune(call: Call) -> Reply:
    """Remove those that nobody uses."""
    state = call.engine.state
    used = {end.network_id for container in state.containers.values() for end in container.networks.values()}
    gone = [n for n in state.networks.values() if n.name not in PREDEFINED and n.id not in used]
    for network in gone:
        _remove(state, network)
    state.events.emit("network", "prune", "", {"reclaimed": "0"})
    return answer({"NetworksDeleted": [network.name for network in gone] or None})


@routes.add("GET", "/networks/{name}")
async def inspect(call: Call) -> Reply:
    """One network with the containers that are on it."""
    state = call.engine.state
    return answer(view(state, state.network(call.names["name"]), full=True))


@routes.add("DELETE", "/networks/{name}")
async def remove(call: Call) -> Reply:
    """Remove a network that nobody is on."""
    state = call.engine.state
    network = state.network(call.names["name"])
    if network.name in PREDEFINED:
        raise EngineError(403, f"{network.name} is a pre-defined network and cannot be removed")
    if _members(state, network):
        where = f"network {network.name} id {network.id}"
        raise EngineError(403, f"error while removing network: {where} has active endpoints")
    _remove(state, network)
    return nothing()


def _remove(state: State, network: Network) -> None:
    del state.networks[network.id]
    state.events.emit("network", "destroy", network.id, {"name": network.name, "type": network.driver})


@routes.add("POST", "/networks/{name}/connect")
async def connect(call: Call) -> Reply:
    """Put a container on it."""
    body = await call.json()
    engine = call.engine
    network = engine.state.network(call.names["name"])
    container = engine.state.container(body.get("Container") or "")
    if network.name in container.networks:
        where = f"endpoint with name {container.name} already exists in network {network.name}"
        raise EngineError(403, where)
    name, endpoint = engine.networking.endpoint(network.id, body.get("EndpointConfig"))
    container.networks[name] = endpoint
    if container.running:
        engine.networking.join(container, endpoint)
    container.changed()
    return nothing(200)


@routes.add("POST", "/networks/{name}/disconnect")
async def disconnect(call: Call) -> Reply:
    """Take a container off it."""
    body = await call.json()
    engine = call.engine
    network = engine.state.network(call.names["name"])
    container = engine.state.container(body.get("Container") or "")
    endpoint = container.networks.pop(network.name, None)
    if endpoint is None:
        raise EngineError(500, f"container {container.id} is not connected to network {network.name}")
    engine.networking.leave(container, endpoint)
    container.changed()
    return nothing(200)
