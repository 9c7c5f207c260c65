"""The engine itself: ping, version, info, events, disk usage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable

import msgspec
from aiohttp import web

from skep.testing.embedded.errors import EngineError
from skep.testing.embedded.events import Event, Reader
from skep.testing.embedded.routing import Call, Reply, Routes, answer
from skep.testing.embedded.state import Json
from skep.testing.embedded.times import rfc3339, timestamp

routes = Routes()

KERNEL = "6.1.0-skep"
SYSTEM = "Embedded engine of skep.testing"


@routes.add("GET", "/_ping")
@routes.add("HEAD", "/_ping")
async def ping(call: Call) -> Reply:
    """The headers tell which versions are spoken."""
    headers = {"Cache-Control": "no-cache, no-store, must-revalidate", "Pragma": "no-cache"}
    body = b"" if call.request.method == "HEAD" else b"OK"
    return Reply(200, body, "text/plain; charset=utf-8", headers)


@routes.add("GET", "/version")
async def version(call: Call) -> Reply:
    """Versions of the engine and its API."""
    engine = call.engine
    shared = {
        "ApiVersion": engine.api_version,
        "MinAPIVersion": engine.min_api_version,
        "GitCommit": "embedded",
        "GoVersion": "go1.19.8",
        "Os": "linux",
        "Arch": "amd64",
        "KernelVersion": KERNEL,
        "BuildTime": "2023-04-04T00:00:00.000000000+00:00",
    }
    component = {"Name": "Engine", "Version": engine.version, "Details": {**shared, "Experimental": "false"}}
    return answer({"Platform": {"Name": ""}, "Components": [component], "Version": engine.version, **shared})


@routes.add("GET", "/info")
async def info(call: Call) -> Reply:
    """What `docker info` shows."""
    engine, state = call.engine, call.engine.state
    count = {"running": 0, "paused": 0, "restarting": 0}
    for container in state.containers.values():
        count[container.status] = count.get(container.status, 0) + 1
    running = count["running"] + count["restarting"]
    return answer(
        {
            "ID": engine.engine_id,
            "Containers": len(state.containers),
            "ContainersRunning": running,
            "ContainersPaused": count["paused"],
            "ContainersStopped": len(state.containers) - running - count["paused"],
            "Images": len(state.images),
            "NEventsListener": len(state.events.readers),
            "SystemTime": rfc3339(time.time_ns()),
            "NCPU": engine.cpus,
            "MemTotal": engine.memory,
            "Name": engine.name,
            "Labels": [f"{key}={value}" for key, value in engine.labels.items()],
            "ServerVersion": engine.version,
            **_INFO,
        }
    )


_INFO: Json = {
    "Driver": "overlay2",
    "DriverStatus": [
        ["Backing Filesystem", "extfs"],
        ["Supports d_type", "true"],
        ["Native Overlay Diff", "true"],
    ],
    "Plugins": {
        "Volume": ["local"],
        "Network": ["bridge", "host", "null"],
        "Authorization": None,
        "Log": ["json-file"],
    },
    "MemoryLimit": True,
    "SwapLimit": True,
    "KernelMemory": True,
    "KernelMemoryTCP": True,
    "CpuCfsPeriod": True,
    "CpuCfsQuota": True,
    "CPUShares": True,
    "CPUSet": True,
    "PidsLimit": True,
    "IPv4Forwarding": True,
    "BridgeNfIptables": True,
    "BridgeNfIp6tables": True,
    "Debug": False,
    "NFd": 20,
    "OomKillDisable": True,
    "NGoroutines": 40,
    "LoggingDriver": "json-file",
    "CgroupDriver": "cgroupfs",
    "CgroupVersion": "1",
    "KernelVersion": KERNEL,
    "OperatingSystem": SYSTEM,
    "OSVersion": "12",
    "OSType": "linux",
    "Architecture": "x86_64",
    "IndexServerAddress": "https://index.docker.io/v1/",
    "RegistryConfig": {
        "AllowNondistributableArtifactsCIDRs": [],
        "AllowNondistributableArtifactsHostnames": [],
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Name": "docker.io", "Mirrors": [], "Secure": True, "Official": True}},
        "Mirrors": [],
    },
    "GenericResources": None,
    "DockerRootDir": "/var/lib/docker",
    "HttpProxy": "",
    "HttpsProxy": "",
    "NoProxy": "",
    "ExperimentalBuild": False,
    "Runtimes": {"runc": {"path": "runc"}},
    "DefaultRuntime": "runc",
    "Swarm": {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    },
    "LiveRestoreEnabled": False,
    "Isolation": "",
    "InitBinary": "docker-init",
    "ContainerdCommit": {"ID": "", "Expected": ""},
    "RuncCommit": {"ID": "", "Expected": ""},
    "InitCommit": {"ID": "", "Expected": ""},
    "SecurityOptions": ["name=seccomp,profile=default"],
    "Warnings": None,
}


@routes.add("GET", "/events")
async def events(call: Call) -> web.StreamResponse:
    """Remembered events from `since` on, then what happens, up to `until`."""
    since, until = _moment(call, "since"), _moment(call, "until")
    if since is not None and until is not None and since > until:
        text = f"`since` time ({call.text('since')}) cannot be after `until` time ({call.text('until')})"
        raise EngineError(400, text)
    keep = _event_filter(call.filters(None))
    legacy = call.version < (1, 52)
    response = web.StreamResponse(headers={**call.engine.headers(), "Content-Type": "application/json"})
    reader = Reader()
    log, faults = call.engine.state.events, call.engine.faults
    await response.prepare(call.request)
    if faults.subscribe_delay:
        await asyncio.sleep(faults.subscribe_delay)
    past: list[Event] = []
    if since is not None or until is not None:
        past = [e for e in log.recent if (since or 0) <= e.time and (until is None or e.time <= until)]
    log.readers.add(reader)
    try:
        await _send(call, response, past, keep, legacy=legacy)
        async with asyncio.timeout(max(0.0, (until - time.time_ns()) / 1e9) if until is not None else None):
            async for batch in reader:
                await _send(call, response, batch, keep, legacy=legacy)
    except TimeoutError:
        pass
    finally:
        log.readers.discard(reader)
    return response


async def _send(
    call: Call,
    response: web.StreamResponse,
    batch: list[Event],
    keep: Callable[[Event], bool],
    *,
    legacy: bool,
) -> None:
    change = call.engine.faults.events
    chosen = [event for event in (change(batch) if change else batch) if keep(event)]
    if chosen:
        await response.write(b"".join(msgspec.json.encode(event.wire(legacy=legacy)) + b"\n" for event in chosen))


def _moment(call: Call, name: str) -> int | None:
    try:
        return timestamp(call.text(name))
    except ValueError:
        value = call.text(name)
        raise EngineError(call.bad_body, f'strconv.ParseInt: parsing "{value}": invalid syntax') from None


def _event_filter(filters: dict[str, list[str]]) -> Callable[[Event], bool]:
    def fits(event: Event) -> bool:
        return all(_fits(event, key, values) for key, values in filters.items())

    return fits


def _fits(event: Event, key: str, values: Iterable[str]) -> bool:
    attributes = event.attributes
    if key == "type":
        return event.type in values
    if key == "event":
        return any(event.action == value or event.action.startswith(f"{value}:") for value in values)
    if key == "scope":
        return "local" in values
    if key == "label":
        return all(_labelled(attributes, value) for value in values)
    if key == "image":
        subject = attributes.get("image", "") if event.type == "container" else attributes.get("name", "")
        return any(value in (event.actor, subject, subject.partition(":")[0]) for value in values)
    name = attributes.get("name", "")
    return event.type == key and any(value == name or event.actor.startswith(value) for value in values)


def _labelled(attributes: object, wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    found = attributes.get(name) if isinstance(attributes, dict) else None
    return found is not None and (not equals or found == value)
