"""Both engines answer with the same keys and the same types.

The same scenario is played on both; what the real engine answers is compared, key by key, with what the
embedded one does. Values are not compared, but for those that the scenario fixes.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from .api import Subject

pytestmark = pytest.mark.engine

SPEC: dict[str, Any] = {
    "Env": ["A=b"],
    "Labels": {"x": "y"},
    "ExposedPorts": {"80/tcp": {}, "81/tcp": {}, "99/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 3_600_000_000_000},
    "HostConfig": {
        "PortBindings": {"80/tcp": [{"HostPort": "18081"}], "81/tcp": [{"HostPort": ""}]},
        "Memory": 64 * 2**20,
        "CpuShares": 512,
        "Binds": ["shape-volume:/data", "/tmp:/host:ro"],
        "RestartPolicy": {"Name": "unless-stopped"},
    },
}
ANY = "any"
# What the real engine fills from its host, and nobody reads from the embedded one.
FREE = {
    "GraphDriver.Data",
    "DriverStatus",
    "Plugins",
    "Runtimes",
    "Warnings",
    "Config.Env",
    "ContainerConfig.Env",
    "Actor.Attributes",
    "Components[].Details",
    "memory_stats.stats",
    "cpu_stats.cpu_usage.percpu_usage",
    "precpu_stats.cpu_usage.percpu_usage",
    "RegistryConfig.IndexConfigs",
    "SecurityOptions",
    "State.Health.Log",
    "HostConfig.MaskedPaths",
    "HostConfig.ReadonlyPaths",
    "GenericResources",
    "Options",
}
# Keys whose null or absence depends on the moment or the engine's settings, not on the engine.
PASSING = {
    "DefaultAddressPools",
    "IPAM.Config[].Gateway",
    "[].IPAM.Config[].Gateway",
    "State.Health",
    "RepoDigests",
    "[].RepoDigests",
    "Images[].RepoDigests",
    "ExecIDs",
    "[].Labels",
    "Images[].Labels",
}


def shape(value: Any, path: str = "") -> dict[str, str]:
    """Every path within a value, and the type there."""
    if path.removeprefix("[].") in FREE or path in FREE:
        return {path: ANY}
    if isinstance(value, dict):
        found = {path: "object"}
        for key, item in value.items():
            found |= shape(item, f"{path}.{key}" if path else key)
        return found
    if isinstance(value, list):
        found = {path: "list"}
        for item in value:
            found |= shape(item, f"{path}[]")
        return found
    if isinstance(value, bool) or value is None:
        return {path: type(value).__name__}
    return {path: "number" if isinstance(value, int | float) else "text"}


def differences(real: Any, embedded: Any) -> list[str]:
    """Where the two shapes part."""
    ours, theirs = shape(embedded), shape(real)
    found = []
    for path in sorted(ours.keys() | theirs.keys()):
        if any(path == free or path.startswith((f"{free}.", f"{free}[")) for free in PASSING):
            continue
        if ours.get(path) != theirs.get(path):
            found.append(f"{path}: real {theirs.get(path)}, embedded {ours.get(path)}")
    return found


async def scenario(subject: Subject) -> str:
    id_ = await subject.run("shaped", **SPEC)
    await subject.run("linked", HostConfig={"Links": ["shaped:alias"]})
    return id_


@pytest.mark.parametrize(
    "path",
    [
        "/containers/shaped/json",
        "/containers/linked/json",
        "/containers/json?filters={%22name%22:[%22shaped%22]}",
        "/info",
        "/version",
        "/images/json",
        "/images/busybox/json",
        "/images/busybox/history",
        "/networks?filters={%22name%22:[%22bridge%22]}",
        "/volumes?filters={%22name%22:[%22shape-volume%22]}",
        "/volumes/shape-volume",
        "/containers/shaped/top",
        "/containers/shaped/stats?stream=0&one-shot=1",
    ],
)
async def test_running(real: Subject, embedded: Subject, path: str) -> None:
    await asyncio.gather(scenario(real), scenario(embedded))

    answers = [await subject.get(path) for subject in (real, embedded)]

    assert [answer.status for answer in answers] == [200, 200]
    assert differences(answers[0].body, answers[1].body) == []


async def test_network_with_its_containers(real: Subject, embedded: Subject) -> None:
    await asyncio.gather(scenario(real), scenario(embedded))
    bodies = [(await subject.get("/networks/bridge")).body for subject in (real, embedded)]
    for body in bodies:
        body["Containers"] = list(body["Containers"].values())

    assert differences(*bodies) == []


@pytest.mark.parametrize("state", ["created", "exited", "paused"])
async def test_other_states(real: Subject, embedded: Subject, state: str) -> None:
    async def bring(subject: Subject) -> list[Any]:
        id_ = await subject.create("stated", **SPEC)
        if state != "created":
            await subject.post(f"/containers/{id_}/start")
        if state == "exited":
            await subject.post(f"/containers/{id_}/stop", t="0")
        if state == "paused":
            await subject.post(f"/containers/{id_}/pause")
        rows = await subject.get("/containers/json", all="1", filters={"id": [id_]})
        return [await subject.inspect(id_), rows.body]

    assert differences(*await asyncio.gather(bring(real), bring(embedded))) == []


async def test_what_the_scenario_fixes(engine: Subject) -> None:
    id_ = await scenario(engine)

    found = await engine.inspect(id_)

    assert found["Name"] == "/shaped"
    assert (found["Path"], found["Args"]) == ("sleep", ["1000"])
    assert found["Config"]["Labels"] == {"x": "y"}
    assert "A=b" in found["Config"]["Env"]
    assert found["Config"]["Hostname"] == id_[:12]
    host = found["HostConfig"]
    assert (host["Memory"], host["CpuShares"], host["NetworkMode"]) == (64 * 2**20, 512, "default")
    assert host["RestartPolicy"] == {"Name": "unless-stopped", "MaximumRetryCount": 0}
    ports = found["NetworkSettings"]["Ports"]
    assert ports["80/tcp"] == [
        {"HostIp": "0.0.0.0", "HostPort": "18081"},
        {"HostIp": "::", "HostPort": "18081"},
    ]
    assert ports["99/tcp"] is None
    assert int(ports["81/tcp"][0]["HostPort"]) >= 32768
    bridge = found["NetworkSettings"]["Networks"]["bridge"]
    assert bridge["IPAddress"].split(".")[:2] == bridge["Gateway"].split(".")[:2]
    assert found["State"]["Health"]["Status"] == "starting"
    mounts = {mount["Destination"]: mount for mount in found["Mounts"]}
    assert (mounts["/data"]["Type"], mounts["/data"]["Name"]) == ("volume", "shape-volume")
    assert (mounts["/host"]["Type"], mounts["/host"]["RW"], mounts["/host"]["Source"]) == (
        "bind",
        False,
        "/tmp",
    )


async def test_links_are_shown_with_both_names(engine: Subject) -> None:
    await scenario(engine)

    assert (await engine.inspect("linked"))["HostConfig"]["Links"] == ["/shaped:/linked/alias"]


async def test_the_row_of_the_list(engine: Subject) -> None:
    id_ = await scenario(engine)

    [row] = (await engine.get("/containers/json", filters={"id": [id_]})).body

    assert sorted(row["Names"]) == ["/linked/alias", "/shaped"]
    assert (row["Image"], row["Command"], row["State"]) == ("busybox", "sleep 1000", "running")
    assert row["Status"].startswith("Up ")
    assert row["Status"].endswith(" (health: starting)")
    published = [(p.get("IP"), p["PrivatePort"], p.get("PublicPort")) for p in row["Ports"] if p["PrivatePort"] != 81]
    assert sorted(published, key=str) == [("0.0.0.0", 80, 18081), ("::", 80, 18081), (None, 99, None)]
