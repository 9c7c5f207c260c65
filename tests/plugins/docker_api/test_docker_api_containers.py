"""Containers through the endpoint: found, listed, created, changed; as an engine answers, and over all nodes."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from skep import ContainerStopping, Plugin, RequestError

Serving = Callable[..., AbstractAsyncContextManager[Any]]


async def create(api: Any, name: str, **body: Any) -> str:
    status, answer = await api.call(
        "POST",
        "/v1.41/containers/create",
        params={"name": name},
        json={"Image": "busybox", "Cmd": ["sleep", "9"], **body},
    )
    assert status == 201, answer
    return str(answer["Id"])


async def run(api: Any, name: str, **body: Any) -> str:
    id_ = await create(api, name, **body)
    assert await api.call("POST", f"/containers/{id_}/start") == (204, "")
    return id_


async def rows(api: Any, **query: Any) -> list[dict[str, Any]]:
    filters = query.pop("filters", None)
    params = {key: str(value) for key, value in query.items()} | ({"filters": json.dumps(filters)} if filters else {})
    status, found = await api.call("GET", "/v1.41/containers/json", params=params)
    assert status == 200, found
    return list(found)


async def names(api: Any, **query: Any) -> list[str]:
    return [row["Names"][0] for row in await rows(api, **query)]


async def test_created_on_the_emptiest_node_and_listed_newest_first(api: Any) -> None:
    first = await run(api, "first", Labels={"a": "b"})
    await create(api, "second")
    status, created = await api.call(
        "POST", "/containers/create?name=third", json={"Image": "busybox", "Cmd": ["true"]}
    )
    assert (status, created["Warnings"]) == (201, [])
    assert await names(api) == ["/n1/first"]
    assert await names(api, all=1) == ["/n1/third", "/n2/second", "/n1/first"]
    assert await names(api, limit=2) == ["/n1/third", "/n2/second"]
    row = (await rows(api))[0]
    assert (row["Id"], row["Image"], row["Command"], row["Labels"]["a"]) == (first, "busybox", "sleep 9", "b")
    assert (row["State"], row["Status"][:3], row["HostConfig"]) == ("running", "Up ", {"NetworkMode": "default"})


async def test_rows_are_those_of_the_engine(api: Any) -> None:
    engine = api.engines["n1"]
    engine.run("web", "nginx", ports={"80/tcp": 8080}, labels={"a": "b"}, health="healthy")
    engine.run("user", links=["web:alias"], Binds=["data:/data:ro"])
    engine.create("new")
    await wait_until(lambda: api.agent.cluster.state.named("new"))
    async with api.session.get(engine.url.replace("tcp", "http") + "/v1.41/containers/json?all=1") as response:
        theirs = {row["Id"]: row for row in await response.json()}
    ours = {row["Id"]: row for row in await rows(api, all=1)}
    assert ours.keys() == theirs.keys()
    for id_, row in theirs.items():
        shown = dict(ours[id_])
        assert sorted(shown.pop("Names")) == sorted(name.replace("/", "/n1/", 1) for name in row.pop("Names"))
        for mine in (shown, row):
            for end in mine["NetworkSettings"]["Networks"].values():
                del end["Links"], end["Aliases"]
            mine["Ports"] = {(p["PrivatePort"], p.get("PublicPort"), p["Type"]) for p in mine["Ports"]}
        assert shown == row


async def wait_until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_published_ports_are_where_the_node_is(serving: Serving) -> None:
    async with serving("n1") as api:
        api.engines["n1"].run("web", "nginx", ports={"80/tcp": 8080})
        await wait_until(lambda: api.agent.cluster.state.named("web"))
        port = {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}
        assert (await rows(api))[0]["Ports"] == [port]
        _, found = await api.call("GET", "/containers/web/json")
        assert found["NetworkSettings"]["Ports"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
        assert found["HostConfig"]["PortBindings"]["80/tcp"][0]["HostIp"] != "127.0.0.1"


async def test_names_with_links_as_a_swarm_manager_shows_them(api: Any) -> None:
    await run(api, "postgres")
    api.engines["n1"].run("postgres-counter", links=["postgres:postgres"])
    await wait_until(lambda: api.agent.cluster.state.named("postgres-counter"))
    shown = {row["Names"][0]: row["Names"] for row in await rows(api)}
    assert shown["/n1/postgres"] == ["/n1/postgres", "/n1/postgres-counter/postgres"]
    for path in ("postgres-counter/postgres", "n1/postgres-counter/postgres"):
        assert (await api.call("GET", f"/containers/{path}/json"))[1]["Name"] == "/postgres"


@pytest.mark.parametrize(
    ("setting", "engines", "expected"),
    [
        ("auto", ["n1"], "/cc"),
        ("auto", ["n1", "n2"], "/n1/cc"),
        ("node", ["n1"], "/n1/cc"),
        ("plain", ["n1", "n2"], "/cc"),
    ],
)
async def test_names_with_or_without_node(serving: Serving, setting: str, engines: list[str], expected: str) -> None:
    async with serving(*engines, settings={"names": setting}) as api:
        await create(api, "cc")
        assert await names(api, all=1) == [expected]


async def test_a_container_is_found_by_whatever_names_it(api: Any) -> None:
    id_ = await create(api, "web")
    for reference in (id_, id_[:12], id_[:7], "web", "n1/web", "n1%2Fweb", "%2Fweb"):
        status, found = await api.call("GET", f"/v1.41/containers/{reference}/json")
        assert (status, found["Id"]) == (200, id_), reference
    node = api.agent.cluster.state.get_node("n1").node
    assert found["Node"] == {
        "ID": node.id,
        "IP": "127.0.0.1",
        "Addr": node.address.removeprefix("tcp://"),
        "Name": "n1",
        "Cpus": 4,
        "Memory": 8 * 2**30,
        "Labels": dict(node.labels),
    }


@pytest.mark.parametrize("path", ["nope", "n2/web", "web/nope", "feed", "", "%20", "n1%2Fn1%2Fweb"])
async def test_what_is_unknown_is_told_as_docker_does(api: Any, path: str) -> None:
    await create(api, "web")
    status, answer = await api.call("GET", f"/containers/{path}/json" if path else "/containers//json")
    assert status == 404
    if path:
        assert answer == {"message": f"No such container: {path.replace('%20', ' ').replace('%2F', '/')}"}


async def test_an_ambiguous_name_is_refused_with_the_candidates(api: Any) -> None:
    for engine in api.engines.values():
        engine.create("twin")
    await wait_until(lambda: len(api.agent.cluster.state.named("twin")) == 2)
    status, answer = await api.call("POST", "/containers/twin/start")
    assert status == 409
    assert "n1/twin" in answer["message"]
    assert "n2/twin" in answer["message"]
    assert (await api.call("POST", "/containers/n2/twin/start"))[0] == 204


async def test_a_container_named_like_a_part_of_the_path(api: Any) -> None:
    for name in ("json", "containers", "v1.41"):
        id_ = await run(api, name)
        for prefix in ("", "/v1.41"):
            assert (await api.call("GET", f"{prefix}/containers/{name}/json"))[1]["Id"] == id_
            assert (await api.call("GET", f"{prefix}/containers/{name}/top"))[0] == 200


async def test_life_cycle_and_the_list_after_each_step(api: Any) -> None:
    await create(api, "cc")
    steps = [
        ("start", 204, "running"),
        ("start", 304, "running"),
        ("pause", 204, "paused"),
        ("unpause", 204, "running"),
        ("restart", 204, "running"),
        ("stop?t=1", 204, "exited"),
        ("stop", 304, "exited"),
        ("kill", 409, "exited"),
    ]
    for call, status, state in steps:
        assert (await api.call("POST", f"/v1.41/containers/cc/{call}"))[0] == status, call
        assert [row["State"] for row in await rows(api, all=1)] == [state], call
    assert (await api.call("DELETE", "/v1.41/containers/cc"))[0] == 204
    assert await rows(api, all=1) == []
    assert (await api.call("DELETE", "/v1.41/containers/cc")) == (404, {"message": "No such container: cc"})


async def test_rename_within_the_cluster(api: Any) -> None:
    await create(api, "aa")
    await create(api, "bb")
    status, answer = await api.call("POST", "/containers/aa/rename?name=bb")
    assert status == 409
    assert answer["message"].startswith('Conflict. The container name "/bb" is already in use by container')
    assert (await api.call("POST", "/containers/aa/rename?name=/cc"))[0] == 204
    assert sorted(await names(api, all=1)) == ["/n1/cc", "/n2/bb"]
    assert (await api.call("POST", "/containers/cc/rename"))[0] == 400
    status, answer = await api.call("POST", "/containers/create?name=cc", json={"Image": "busybox"})
    assert status == 409
    assert not [each for each in api.agent.cluster.state.containers() if not each.id]


async def test_a_name_stays_taken_while_an_engine_may_still_give_it(api: Any) -> None:
    await create(api, "aa")
    (aa,) = api.agent.cluster.state.named("aa")
    slow = api.engines["n1"].faults.hang(lambda method, path: path.endswith("/rename"))
    renaming = asyncio.create_task(api.call("POST", "/containers/aa/rename?name=cc"))
    await wait_until(lambda: slow.hits == 1)
    renaming.cancel()
    await asyncio.wait([renaming])
    for _ in range(50):  # in which the agent sees that the client has gone
        assert (await api.call("POST", "/containers/create?name=cc", json={"Image": "busybox"}))[0] == 409
    slow.clear()
    assert (await api.call("POST", f"/containers/{aa.id}/rename?name=dd"))[0] == 204
    assert (await api.call("DELETE", f"/containers/{aa.id}?force=1"))[0] == 204
    await wait_until(lambda: not list(api.agent.cluster.state.containers()))
    assert (await api.call("POST", "/containers/create?name=cc", json={"Image": "busybox"}))[0] == 201


async def test_one_that_is_started_again_and_again_counts_as_running(api: Any) -> None:
    engine = api.engines["n1"]
    engine.run("loop", RestartPolicy={"Name": "always"})
    for _ in range(10):
        engine.die("loop", 1)
    await wait_until(lambda: any(each.state == "restarting" for each in api.agent.cluster.state.named("loop")))
    assert [row["State"] for row in await rows(api)] == ["restarting"]
    assert await names(api, all=1, filters={"exited": ["1"]}) == []


async def test_two_renames_to_one_name_at_once(api: Any) -> None:
    await create(api, "aa")
    await create(api, "bb")
    calls = [api.call("POST", f"/containers/{name}/rename?name=cc") for name in ("aa", "bb")]
    answers = await asyncio.gather(*calls)
    assert sorted(status for status, _ in answers) == [204, 409]


async def test_bad_create_requests(api: Any) -> None:
    for body, status in ((b"{", 400), (b"[]", 400), (b'{"Image": 1}', 400), (b"", 400)):
        found, answer = await api.call("POST", "/containers/create", data=body)
        assert (found, list(answer)) == (status, ["message"]), body
    found, answer = await api.call("POST", "/containers/create", data=io.BytesIO(b" " * (2**22 + 1)))
    assert found == 413


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"name": ["web"]}, ["web", "web2"]),
        ({"name": ["^web$"]}, ["web"]),
        ({"name": ["/web2"]}, ["web2"]),
        ({"name": ["web", "idle"]}, ["idle", "web", "web2"]),
        ({"name": {"idle": True}}, ["idle"]),
        ({"name": ["("]}, []),
        ({"label": ["tier"]}, ["idle", "web"]),
        ({"label": ["tier=a"]}, ["web"]),
        ({"label": ["tier=a", "x"]}, []),
        ({"status": ["exited"]}, ["done"]),
        ({"status": ["running", "created"]}, ["idle", "web", "web2"]),
        ({"exited": ["3"]}, ["done"]),
        ({"exited": ["0"]}, []),
        ({"ancestor": ["nginx"]}, ["web"]),
        ({"ancestor": ["busybox:latest"]}, ["done", "idle", "web2"]),
        ({"before": ["web2"]}, ["web"]),
        ({"since": ["web2"]}, ["done", "idle"]),
        ({"health": ["healthy"]}, ["web"]),
        ({"network": ["bridge"]}, ["done", "idle", "web", "web2"]),
        ({"network": ["none"]}, []),
        ({"volume": ["data"]}, ["web2"]),
        ({"volume": ["/data"]}, ["web2"]),
        ({"volume": ["n2/data"]}, ["web2"]),
        ({"publish": ["80"]}, ["web"]),
        ({"publish": ["70-90/tcp"]}, ["web"]),
        ({"publish": ["80/udp"]}, []),
        ({"expose": ["80"]}, ["web"]),
        ({"node": ["n2"]}, ["idle", "web2"]),
        ({"node": ["^n"]}, ["done", "idle", "web", "web2"]),
        ({"is-task": ["true"]}, []),
    ],
)
async def test_filters(api: Any, filters: dict[str, Any], expected: list[str]) -> None:
    n1, n2 = api.engines["n1"], api.engines["n2"]
    n1.run("web", "nginx", ports={"80/tcp": 8080}, labels={"tier": "a"}, health="healthy")
    n2.run("web2", Binds=["data:/data"])
    n1.run("done")
    n1.die("done", 3)
    n2.create("idle", labels={"tier": "b"})
    await wait_until(lambda: sum(bool(each.id) for each in api.agent.cluster.state.containers()) == 4)
    await wait_until(lambda: api.agent.cluster.state.named("done")[0].exit_code == 3)
    found = await names(api, all=1, filters=filters)
    assert sorted(name.rpartition("/")[2] for name in found) == expected


@pytest.mark.parametrize(
    ("filters", "status"),
    [
        ('{"nope": ["a"]}', 400),
        ('{"status": ["nope"]}', 400),
        ('{"health": ["nope"]}', 400),
        ('{"exited": ["nope"]}', 400),
        ('{"publish": ["70000"]}', 400),
        ('{"before": ["nope"]}', 404),
        ('{"name": 1}', 400),
        ("[", 400),
    ],
)
async def test_bad_filters(api: Any, filters: str, status: int) -> None:
    found, answer = await api.call("GET", "/containers/json", params={"filters": filters})
    assert (found, list(answer)) == (status, ["message"])


async def test_sizes_are_asked_for(api: Any) -> None:
    await create(api, "cc")
    assert "SizeRootFs" not in (await rows(api, all=1))[0]
    assert (await rows(api, all=1, size=1))[0]["SizeRootFs"] > 0
    assert "SizeRootFs" in (await api.call("GET", "/containers/cc/json?size=1"))[1]
    assert "SizeRootFs" not in (await api.call("GET", "/containers/cc/json"))[1]


async def test_prune_over_all_nodes(api: Any) -> None:
    ids = {await create(api, name) for name in ("aa", "bb", "cc")}
    await run(api, "up")
    status, answer = await api.call("POST", "/containers/prune")
    assert (status, set(answer["ContainersDeleted"])) == (200, ids)
    assert await names(api, all=1) == ["/n2/up"]
    assert (await api.call("POST", "/containers/prune"))[1] == {"ContainersDeleted": None, "SpaceReclaimed": 0}
    assert (await api.call("POST", "/containers/prune", params={"filters": '{"x": ["y"]}'}))[0] == 400


async def test_plugins_prepare_for_the_end_of_a_container(serving: Serving) -> None:
    asked = []

    class Watcher(Plugin):
        name = "watcher"

        async def container_stopping(self, stopping: ContainerStopping) -> None:
            asked.append((stopping.container.name, stopping.action, stopping.client))
            if stopping.container.name == "holy":
                raise RequestError("holy", status=403)

    async with serving("n1", plugins=[Watcher()]) as api:
        await run(api, "cc")
        await run(api, "holy")
        for call in ("kill?signal=HUP", "kill?signal=SIGUSR1", "restart", "stop", "stop", "start", "kill"):
            await api.call("POST", f"/containers/cc/{call}")
        await api.call("POST", "/containers/cc/start")
        await api.call("DELETE", "/containers/cc?force=1")
        actions = ["restart", "stop", "kill", "remove"]
        assert asked == [("cc", action, "127.0.0.1") for action in actions]
        assert await api.call("POST", "/containers/holy/stop") == (403, {"message": "holy"})
        assert await names(api) == ["/holy"]
