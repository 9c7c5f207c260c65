"""Several parties on one cluster: groups 5, 13, 15 and 16."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from skep_constraint import ConstraintPlugin

ALICE, BOB, ADMIN = "127.0.0.1", "127.0.0.2", "127.0.0.3"
RULE = {"clients": ["ip:127.0.0.1"], "allow": ["run"]}


# -- group 5


@pytest.mark.parametrize(
    "path",
    [
        "/containers/box/archive?path=/etc/shadow",
        "/containers/box/export",
        "/containers/box/logs?stdout=1",
        "/containers/box/changes",
        "/containers/box/top",
        "/images/busybox/get",
        "/images/get?names=busybox",
        "/configs",
        "/secrets",
        "/system/df",
    ],
)
async def test_who_may_only_look_reads_no_secret(serving: Any, path: str) -> None:
    async with serving("n1", rules={"reader": {"clients": ["ip:127.0.0.1"]}}) as served:
        served.engines["n1"].run("box", env=["TOKEN=hunter2"])
        await served.known(1)
        for method in ("GET", "HEAD"):
            status, _ = await served.call(method, path)
            assert status in (403, 404)
        status, shown = await served.call("GET", "/containers/box/json")
        assert status == 200
        assert "TOKEN=***" in shown["Config"]["Env"]
        assert "hunter2" not in json.dumps(shown)


# -- group 13


@pytest.mark.parametrize("entry", ["constraint:node==n2", "constraint:node!=n1", "whitelist:node==n2"])
async def test_a_constraint_does_not_open_a_forbidden_node(serving: Any, entry: str) -> None:
    async with serving("n1", "n2", rules={"a": {**RULE, "nodes": ["n1"]}}, plugins=[ConstraintPlugin()]) as served:
        for _ in range(4):
            assert (await served.create())[0] == 201
        assert len(served.engines["n1"].state.containers) == 4
        if entry.startswith("constraint"):
            status, told = await served.create(Env=[entry])
            assert status >= 400
            assert "the policy does not allow it" in told["message"] or "node" in told["message"]
        assert not served.engines["n2"].state.containers


@pytest.mark.parametrize(
    "labels",
    [
        {"com.docker.swarm.constraints": '["node==n2"]'},
        {"com.docker.swarm.id": "a" * 64},
        {"skep.policy.nodes": '["*"]'},
        {"skep.cpu-weight": "1"},
        {"COM.DOCKER.SWARM.id": "x"},
        {"tenant": "bob"},
    ],
    ids=str,
)
async def test_no_label_is_made_up(tenants: Any, labels: dict[str, str]) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("/containers/create", {"Image": "busybox", "Labels": labels}),
        ("/networks/create", {"Name": "x", "Labels": labels}),
        ("/volumes/create", {"Name": "x", "Labels": labels}),
    ]
    for path, body in calls:
        status, told = await tenants.call("POST", path, json=body)
        assert (status, "label" in told["message"]) == (403, True)
    assert not tenants.changes()


async def test_an_affinity_names_nobody_elses_container(tenants: Any) -> None:
    await tenants.create(by=BOB)
    await tenants.known(1)
    victim = next(iter(tenants.agent.cluster.state.containers())).name
    for entry in (
        f"affinity:container=={victim}",
        f"affinity:container!=~{victim}",
        "affinity:tenant==bob",
        "affinity:container==/.*/",
    ):
        status, told = await tenants.create(Env=[entry])
        assert (status, "affinity" in told["message"]) == (403, True)


# -- group 15


async def test_an_image_is_used_by_its_allowed_name_alone(serving: Any) -> None:
    rules = {"a": {**RULE, "images": ["docker.io/library/busybox:*", "reg.example/*@sha256:*"]}}
    async with serving("n1", rules=rules) as served:
        digest = "sha256:" + "a" * 64
        wanted = {
            "busybox": 201,
            "busybox:1.36": 201,
            "docker.io/library/busybox": 201,
            "evil": 403,
            "evil/busybox": 403,
            "reg.example/app:1": 403,
            f"reg.example/app@{digest}": 201,
            digest: 403,
            "a" * 12: 403,
            "reg.example.evil/app": 403,
        }
        for image, status in wanted.items():
            assert (await served.create(Image=image))[0] == status, image
        for path in (
            "/images/load",
            "/images/create?fromSrc=-",
            "/build",
            "/images/create?fromImage=evil",
            "/images/evil/tag?repo=busybox",
        ):
            assert (await served.call("POST", path))[0] == 403, path
        bodies = served.changes("/containers/create")
        assert {body["Image"] for body in bodies} <= {
            "busybox:latest",
            "busybox:1.36",
            "docker.io/library/busybox:latest",
            f"reg.example/app@{digest}",
        }


async def test_what_is_created_plainly_is_not_widened_afterwards(tenants: Any) -> None:
    _, made = await tenants.create()
    await tenants.known(1)
    id_ = made["Id"]
    wider: list[dict[str, Any]] = [
        {"Devices": [{"PathOnHost": "/dev/sda"}]},
        {"devicecgrouprules": ["a *:* rwm"]},
        {"HostConfig": {}},
        {"Privileged": True},
    ]
    for body in wider:
        assert (await tenants.call("POST", f"/containers/{id_}/update", json=body))[0] == 403
    assert (await tenants.call("POST", f"/containers/{id_}/update", json={"Memory": 2**25}))[0] == 200
    assert (await tenants.call("POST", f"/containers/{id_}/rename?name=mine2"))[0] == 204
    assert (await tenants.call("POST", f"/containers/{id_}/rename?name=stolen", BOB))[0] == 404


# -- group 16

EVERY = [
    ("GET", "json"), ("GET", "logs"), ("GET", "archive?path=/"), ("GET", "export"), ("GET", "top"), ("GET", "stats"), ("POST", "start"),
    ("POST", "stop"), ("POST", "kill"), ("POST", "exec"), ("POST", "attach"), ("POST", "update"), ("POST", "rename?name=x"), ("POST", "wait"),
]  # fmt: skip


async def test_others_containers_are_not_there(tenants: Any) -> None:
    _, made = await tenants.call(
        "POST", "/containers/create?name=secret-project", BOB, json={"Image": "busybox", "Cmd": ["true"]}
    )
    await tenants.known(1)
    node = next(iter(tenants.agent.cluster.state.containers())).node
    for reference in (made["Id"], made["Id"][:12], made["Id"][:4], "secret-project", f"{node}/secret-project"):
        for method, action in EVERY:
            status, told = await tenants.call(method, f"/containers/{reference}/{action}")
            assert status == 404
            assert told["message"].startswith("No such container: ")
        assert (await tenants.call("DELETE", f"/containers/{reference}?force=1"))[0] == 404
    assert (await tenants.call("GET", "/containers/json?all=1"))[1] == []
    (row,) = (await tenants.call("GET", "/containers/json?all=1", BOB))[1]
    assert row["Labels"]["tenant"] == "bob"
    _, rows = await tenants.call("GET", "/containers/json?all=1", ADMIN)
    assert len(rows) == 1


async def test_others_events_are_not_told(tenants: Any) -> None:
    for by in (ALICE, BOB):
        await tenants.create(by=by)
    async with asyncio.timeout(5):
        while True:
            until = f"{time.time():.3f}"
            lines = (await tenants.call("GET", f"/events?since=1&until={until}", ADMIN))[1]
            if "alice" in str(lines) and "bob" in str(lines):
                break
    told = str((await tenants.call("GET", f"/events?since=1&until={until}"))[1])
    assert "alice" in told
    assert "bob" not in told


async def test_others_networks_and_volumes_are_not_there(tenants: Any) -> None:
    await tenants.call("POST", "/networks/create", BOB, json={"Name": "n1/bobs"})
    await tenants.call("POST", "/volumes/create", BOB, json={"Name": "n1/bobs"})
    async with asyncio.timeout(5):
        while (
            not (await tenants.call("GET", "/networks", BOB))[1]
            or not (await tenants.call("GET", "/volumes", BOB))[1]["Volumes"]
        ):
            await asyncio.sleep(0.01)
    assert (await tenants.call("GET", "/networks"))[1] == []
    assert (await tenants.call("GET", "/volumes"))[1]["Volumes"] == []
    for kind in ("networks", "volumes"):
        assert (await tenants.call("GET", f"/{kind}/bobs"))[0] == 404
        assert (await tenants.call("DELETE", f"/{kind}/bobs"))[0] == 404
    for host in (
        {"NetworkMode": "bobs"},
        {"NetworkMode": "n1/bobs"},
        {"Binds": ["bobs:/x"]},
        {"Binds": ["n1/bobs:/x"]},
        {"Mounts": [{"Type": "volume", "Source": "bobs", "Target": "/x"}]},
    ):
        status, told = await tenants.create(host)
        assert (status, "yours" in told["message"]) == (403, True), host
    assert (await tenants.call("POST", "/volumes/create", json={"Name": "bobs"}))[0] == 403
    assert (await tenants.create(NetworkingConfig={"EndpointsConfig": {"bobs": {}}}))[0] == 403


async def test_others_containers_are_not_joined(tenants: Any) -> None:
    await tenants.call("POST", "/containers/create?name=victim", BOB, json={"Image": "busybox", "Cmd": ["true"]})
    await tenants.known(1)
    hosts: list[dict[str, Any]] = [
        *({field: "container:victim"} for field in ("NetworkMode", "PidMode", "IpcMode")),
        {"VolumesFrom": ["victim"]},
        {"Links": ["victim:v"]},
    ]
    for host in hosts:
        assert (await tenants.create(host))[0] == 403, host
    own = await tenants.call("POST", "/containers/create?name=own", json={"Image": "busybox", "Cmd": ["true"]})
    assert own[0] == 201
    await tenants.known(2)


async def test_an_ambiguous_name_names_nobody(tenants: Any) -> None:
    for node in ("n1", "n2"):
        tenants.engines[node].run("same", labels={"tenant": "bob"})
    await tenants.known(2)
    status, told = await tenants.call("GET", "/containers/same/json")
    assert status in (404, 409)
    assert "n1/" not in told["message"]


async def test_a_prune_takes_ones_own_alone(tenants: Any) -> None:
    for by in (ALICE, BOB):
        await tenants.create(by=by)
    await tenants.known(2)
    for kind in ("containers", "networks", "volumes"):
        assert (await tenants.call("POST", f"/{kind}/prune"))[0] == 200
    sent = [path for method, path, _ in tenants.sent if "/prune" in path]
    assert len(sent) == 6
    assert all("tenant%3Dalice" in path or "tenant=alice" in path for path in sent)
    left = [each.labels["tenant"] for each in tenants.agent.cluster.state.containers()]
    assert left == ["bob"]
    for path in ("/images/prune", "/build/prune"):
        assert (await tenants.call("POST", path))[0] == 403


async def test_an_exec_belongs_to_its_container(tenants: Any) -> None:
    tenants.engines["n1"].run("bobs", labels={"tenant": "bob"})
    await tenants.known(1)
    status, made = await tenants.call("POST", "/containers/bobs/exec", BOB, json={"Cmd": ["true"]})
    assert status == 201
    for method, action in (("GET", "json"), ("POST", "start"), ("POST", "resize?h=1&w=1")):
        assert (await tenants.call(method, f"/exec/{made['Id']}/{action}"))[0] == 404
    assert (await tenants.call("GET", f"/exec/{made['Id']}/json", BOB))[0] == 200
