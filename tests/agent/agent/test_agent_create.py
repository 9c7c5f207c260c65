"""Creating containers through an agent, on good days and bad ones."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

import pytest

from skep import (
    ConflictError,
    ContainerCreating,
    Created,
    EngineError,
    EngineTimeoutError,
    EngineUnreachableError,
    PlacementError,
    PlacementQuery,
    Plugin,
    RequestError,
    TemporaryError,
    Verdict,
)

SWARM_ID = "com.docker.swarm.id"


def is_create(method: str, path: str) -> bool:
    return method == "POST" and path == "/containers/create"


def is_pull(method: str, path: str) -> bool:
    return method == "POST" and path == "/images/create"


def spec(cluster: Any, created: Any) -> dict[str, Any]:
    """What the engine was asked for."""
    engine = next(each for each in cluster.engines if each.name == created.node)
    container = engine.state.containers[created.id]
    return {"Config": container.config, "HostConfig": container.host, "Name": container.name}


async def test_a_container_goes_to_the_node_with_the_fewest_and_is_in_the_state(start: Any) -> None:
    cluster = await start()
    first, second = await cluster.create("one"), await cluster.create("two")
    assert (first.node, second.node) == ("n1", "n2")
    assert cluster.agent.cluster.state.named("two")[0].id == second.id
    assert cluster.pending() == 0


async def test_shares_that_are_a_weight_reserve_no_cpus_afterwards_either(start: Any) -> None:
    cluster = await start(1)
    weighed, whole = (
        await cluster.create(HostConfig={"CpuShares": 512}),
        await cluster.create(HostConfig={"CpuShares": 2}),
    )
    assert [spec(cluster, each)["HostConfig"]["CpuShares"] for each in (weighed, whole)] == [512, 512]
    node = cluster.agent.cluster.state.get_node("n1")
    assert [node.containers[each.id].cpus_on(node.node) for each in (weighed, whole)] == [0.0, 2.0]


async def test_every_container_gets_an_id_of_its_own_and_keeps_one_that_it_brings(start: Any) -> None:
    cluster = await start(1)
    made = spec(cluster, await cluster.create())["Config"]["Labels"][SWARM_ID]
    assert len(made) == 64
    assert int(made, 16)
    brought = await cluster.create(Labels={SWARM_ID: "ab" * 32})
    assert spec(cluster, brought)["Config"]["Labels"] == {SWARM_ID: "ab" * 32}


@pytest.mark.parametrize("brought", ["web", "ab" * 32, "AB" * 32, "ab" * 31])
async def test_an_id_that_is_none_or_that_another_has_is_not_kept(start: Any, brought: str) -> None:
    cluster = await start(1)
    first = await cluster.create("web", Labels={SWARM_ID: "ab" * 32})
    second = await cluster.create("other", Labels={SWARM_ID: brought})
    made = spec(cluster, second)["Config"]["Labels"][SWARM_ID]
    assert made != brought
    assert len(made) == 64
    for reference in ("web", "ab" * 32):
        assert cluster.agent.cluster.state.find_container(reference).id == first.id


class Entries(Plugin):
    name = "entries"

    def expression_kinds(self) -> dict[str, str]:
        return {"constraint": "com.docker.swarm.constraints", "affinity": "com.docker.swarm.affinities"}


async def test_what_an_engine_keeps_of_a_container_is_enough_to_place_it_again(start: Any) -> None:
    cluster = await start(1, (Entries,))
    env = ["A=b", "affinity:image==~busybox", "constraint:node!=n2", "reschedule:on-node-failure"]
    created = await cluster.create("web", Env=env, Labels={"com.docker.swarm.constraints": '["node==~n1"]'})
    kept = spec(cluster, created)
    body = {**kept["Config"], "HostConfig": kept["HostConfig"]}
    again, first = cluster.agent.request(json.dumps(body).encode(), "web"), created.placement.request
    assert [each.text for each in again.expressions["constraint"]] == ["node==~n1", "node!=n2"]
    assert again.expressions == first.expressions
    assert (again.container.labels, again.container.swarm_id) == (first.container.labels, first.container.swarm_id)
    assert json.loads(again.container.labels["com.docker.swarm.reschedule-policies"]) == ["on-node-failure"]
    assert "A=b" in again.container.env
    assert not any(":" in entry for entry in again.container.env if "PATH" not in entry)


async def test_a_name_is_unique_over_all_nodes(start: Any) -> None:
    cluster = await start()
    await cluster.create("web")
    with pytest.raises(ConflictError, match="The name web is already assigned") as caught:
        await cluster.create("/web")
    assert caught.value.status == 409
    assert len(cluster.ids()) == 1


async def test_of_sixty_four_at_once_one_gets_the_name(start: Any) -> None:
    cluster = await start(3)
    for engine in cluster.engines:
        engine.faults.delay(0.05, is_create)
    answers = await asyncio.gather(*(cluster.create("web") for _ in range(64)), return_exceptions=True)
    kinds = Counter(type(answer).__name__ for answer in answers)
    assert kinds == {"Created": 1, "ConflictError": 63}
    assert len(cluster.ids()) == 1


async def test_sixty_four_at_once_are_spread_evenly(start: Any) -> None:
    cluster = await start(4)
    for number, engine in enumerate(cluster.engines):
        engine.faults.delay(0.02 * number, is_create)
    created = await asyncio.gather(*(cluster.create(f"web{number}") for number in range(64)))
    assert Counter(each.node for each in created) == {"n1": 16, "n2": 16, "n3": 16, "n4": 16}
    assert cluster.pending() == 0


class OnePerPort(Plugin):
    """A filter over bindings, to see that containers under way are counted."""

    name = "oneperport"

    def filter_nodes(self, query: PlacementQuery) -> Verdict:
        wanted = query.request.container.bindings
        taken = query.state.with_container(lambda each: any(port in wanted for port in each.bindings))
        return Verdict(query.nodes - taken, lambda _: "taken")


async def test_of_sixty_four_at_once_each_node_gives_its_port_once(start: Any) -> None:
    cluster = await start(3, (OnePerPort,))
    for engine in cluster.engines:
        engine.faults.delay(0.05, is_create)
    host = {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}
    answers = await asyncio.gather(*(cluster.create(HostConfig=host) for _ in range(64)), return_exceptions=True)
    placed = [answer for answer in answers if isinstance(answer, Created)]
    assert sorted(each.node for each in placed) == ["n1", "n2", "n3"]
    assert all(isinstance(answer, PlacementError) for answer in answers if answer not in placed)


async def test_cpu_shares_are_whole_cpus_and_reach_the_engine_in_its_parts(start: Any) -> None:
    cluster = await start(1)  # of 4 CPUs
    created = await cluster.create(HostConfig={"CpuShares": 3})
    assert spec(cluster, created)["HostConfig"]["CpuShares"] == 768
    assert cluster.agent.cluster.state.nodes[0].cpus_used == 3


async def test_what_names_a_node_reaches_the_engine_without_it(start: Any) -> None:
    cluster = await start(1)
    redis = cluster.engines[0].run("redis", labels={SWARM_ID: "ef" * 32})
    await cluster.eventually(lambda: cluster.agent.cluster.state.named("redis"))
    host = {"Links": ["n1/redis:db", "redis:cache"], "VolumesFrom": [f"{'ef' * 32}:ro"], "NetworkMode": "n1/bridge"}
    created = spec(cluster, await cluster.create(HostConfig=host))["HostConfig"]
    assert created["Links"] == ["redis:db", "redis:cache"]
    assert created["VolumesFrom"] == [f"{redis}:ro"]
    assert created["NetworkMode"] == "bridge"


async def test_name_platform_and_credentials_go_along(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = await start(1)
    engine = cluster.agent.cluster.engine("n1")
    sent: list[dict[str, Any]] = []

    async def call(method: str, path: str, **options: Any) -> bytes:
        sent.append(options)
        answer: bytes = await type(engine).call(engine, method, path, **options)
        return answer

    monkeypatch.setattr(engine, "call", call)
    await cluster.create("web", platform="linux/amd64", auth="e30=")
    assert sent[0]["query"] == {"name": "web", "platform": "linux/amd64"}
    assert sent[0]["headers"] == {"X-Registry-Auth": "e30="}


class Refusing(Plugin):
    name = "refusing"

    async def container_creating(self, creating: ContainerCreating) -> ContainerCreating | None:
        if creating.request.container.name == "bad":
            raise RequestError("not that one", status=403)
        return ContainerCreating(creating.request.with_label("checked", "yes"), creating.client)


async def test_a_plugin_may_change_and_refuse_a_request(start: Any) -> None:
    cluster = await start(1, (Refusing,))
    assert spec(cluster, await cluster.create("good"))["Config"]["Labels"]["checked"] == "yes"
    with pytest.raises(RequestError, match="not that one") as caught:
        await cluster.create("bad")
    assert caught.value.status == 403


# -- images


async def test_one_that_replaces_another_goes_to_its_node_as_though_that_were_gone(start: Any) -> None:
    class Alone(Plugin):
        name = "alone"

        def filter_nodes(self, query: PlacementQuery) -> Verdict:
            return query.keep(
                lambda node: not node.containers, lambda node: f"it has {len(node.containers)} containers"
            )

    cluster = await start(plugins=(Alone,))
    old = await cluster.create("web")
    replaced = cluster.agent.cluster.state.named("web")[0]
    await cluster.agent.engine(old.node).call("POST", f"/containers/{old.id}/rename", query={"name": "web-before"})
    request = cluster.agent.request(b'{"Image": "busybox:latest"}', "web")
    new = await cluster.agent.create_container(request, replaces=replaced)
    assert new.node == old.node
    assert {each.id for each in cluster.agent.cluster.state.containers()} == {old.id, new.id}
    cluster.engines[0].run("another", "busybox")
    await cluster.eventually(lambda: bool(cluster.agent.cluster.state.named("another")))
    with pytest.raises(PlacementError) as caught:
        await cluster.agent.create_container(cluster.agent.request(b'{"Image": "busybox:latest"}'), replaces=replaced)
    assert "alone: it has 2 containers" in str(caught.value)
    assert "the container that it replaces, web, is on node n1" in str(caught.value)
    assert len(cluster.ids()) == 3


async def test_a_missing_image_is_pulled_on_the_chosen_node(start: Any) -> None:
    cluster = await start()
    created = await cluster.create(Image="another")
    assert any("another:latest" in image.tags for image in cluster.engines[0].state.images.values())
    assert not any("another:latest" in image.tags for image in cluster.engines[1].state.images.values())
    assert created.node == "n1"


async def test_where_an_image_cannot_be_pulled_the_node_that_has_it_is_taken(start: Any) -> None:
    cluster = await start()
    cluster.engines[1].add_image("missing/app:1")
    state = cluster.agent.cluster.state
    await cluster.agent.cluster.member("n2").refresh_images()
    assert state.with_image(lambda image: "missing/app:1" in image.tags)
    created = await cluster.create(Image="missing/app:1")
    assert created.node == "n2"


async def test_an_image_that_nobody_has_is_the_engines_404(start: Any) -> None:
    cluster = await start()
    with pytest.raises(
        EngineError, match="No such image: missing/app:1; node n1 cannot pull it: pull access denied"
    ) as caught:
        await cluster.create(Image="missing/app:1")
    assert caught.value.status == 404
    assert cluster.pending() == 0


async def test_another_404_of_the_engine_pulls_nothing(start: Any) -> None:
    cluster = await start(1)
    with cluster.engines[0].faults.delay(0, is_pull) as pulls, pytest.raises(EngineError) as caught:
        await cluster.create(HostConfig={"Links": ["nobody:x"]})
    assert 400 <= caught.value.status < 500
    assert pulls.hits == 0


# -- engines that fail


@pytest.mark.parametrize("status", [400, 403, 409, 500, 503])
async def test_what_an_engine_says_is_handed_on(start: Any, status: int) -> None:
    cluster = await start(1)
    with cluster.engines[0].faults.status(status, "no, thank you", is_create):
        with pytest.raises(EngineError, match="no, thank you") as caught:
            await cluster.create("web")
        assert caught.value.status == status
    assert cluster.pending() == 0
    await cluster.create("web")  # the name is free again


@pytest.mark.parametrize(("retries", "node"), [(0, ""), (1, ""), (2, "n3"), (9, "n3")])
async def test_an_engine_that_refuses_is_passed_over_as_often_as_is_said(start: Any, retries: int, node: str) -> None:
    cluster = await start(3, create_retries=retries)
    first, second = (engine.faults.status(500, f"no, says {engine.name}", is_create) for engine in cluster.engines[:2])
    with first, second:
        if node:
            created = await cluster.create("web")
            assert created.node == node
            reasons = [row.reason for row in created.placement.explain() if row.refused_by]
            assert reasons == ["passed over, for it refused: no, says n1", "passed over, for it refused: no, says n2"]
        else:
            with pytest.raises(EngineError, match=f"no, says n{retries + 1}"):
                await cluster.create("web")
    assert len(cluster.ids()) == bool(node)
    assert cluster.pending() == 0


async def test_where_all_refuse_the_last_one_is_told(start: Any) -> None:
    cluster = await start(2, create_retries=5)
    first, second = (engine.faults.status(500, f"no, says {engine.name}", is_create) for engine in cluster.engines)
    with first as asked, second, pytest.raises(EngineError, match="no, says n2"):
        await cluster.create("web")
    assert asked.hits == 1


async def test_a_node_that_cannot_be_reached_is_passed_over(start: Any) -> None:
    cluster = await start()
    engine = cluster.agent.cluster.engine("n1")
    fails = pytest.MonkeyPatch()

    async def negotiate() -> str:
        raise EngineUnreachableError("engine n1: cannot connect: refused", sent=False)

    with fails.context() as patch:
        patch.setattr(engine, "negotiate", negotiate)
        created = await cluster.create("web")
    assert created.node == "n2"
    assert [row.reason for row in created.placement.explain() if row.node == "n1"] == [
        "passed over, for it cannot be reached: engine n1: cannot connect: refused"
    ]


async def test_when_the_answer_is_lost_the_container_is_found_and_not_made_twice(start: Any) -> None:
    cluster = await start()
    with cluster.engines[0].faults.truncate(is_create, keep=0) as fault:
        created = await cluster.create("web")
    assert fault.hits == 1
    assert (created.node, cluster.ids()) == ("n1", [created.id])
    assert cluster.agent.cluster.state.named("web")[0].id == created.id


async def test_an_unnamed_container_whose_answer_is_lost_is_found_too(start: Any) -> None:
    cluster = await start(1)
    with cluster.engines[0].faults.malformed(is_create):
        created = await cluster.create()
    assert cluster.ids() == [created.id]


async def test_when_the_request_is_lost_the_error_says_that_nothing_is_there(start: Any) -> None:
    cluster = await start()
    with cluster.engines[0].faults.refuse(is_create) as fault, pytest.raises(EngineUnreachableError) as caught:
        await cluster.create("web")
    assert fault.hits == 1
    assert str(caught.value).startswith("node n1: ")
    assert "the container is not there" in str(caught.value)
    assert cluster.ids() == []
    assert cluster.pending() == 0


async def test_an_engine_too_slow_to_answer_has_its_container_found(start: Any) -> None:
    cluster = await start(1, call_timeout=0.5)
    with cluster.engines[0].faults.hang(is_create) as fault:
        creating = asyncio.create_task(cluster.create("web"))
        await cluster.eventually(lambda: fault.hits == 1)
        await cluster.eventually(lambda: cluster.agent.cluster.engine("n1").counters.errors > 0)
        cluster.engines[0].create("web", labels={SWARM_ID: _pending_id(cluster)})
        created = await creating
    assert cluster.ids() == [created.id]


def _pending_id(cluster: Any) -> str:
    found = next(each for each in cluster.agent.cluster.state.containers() if not each.id)
    return str(found.labels[SWARM_ID])


async def test_a_name_in_doubt_stays_taken_until_the_node_tells(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skep.agent.doubt._LIMIT", 0.3)
    monkeypatch.setattr("skep.agent.doubt._QUESTION_LIMIT", 0.2)
    monkeypatch.setattr("skep.agent.doubt._LOOK_EVERY", 0.05)
    cluster = await start(2, call_timeout=0.5)
    engine = cluster.engines[0]
    lists = engine.faults.hang(lambda method, path: path == "/containers/json")
    with (
        engine.faults.hang(is_create),
        pytest.raises(EngineTimeoutError, match="Whether the container was created is not known"),
    ):
        await cluster.create("web")
    swarm_id = _pending_id(cluster)
    with pytest.raises(ConflictError, match="It is on node n1"):
        await cluster.create("web")
    lists.clear()
    late = engine.create("web", labels={SWARM_ID: swarm_id})
    await cluster.eventually(lambda: cluster.pending() == 0)
    assert [each.id for each in cluster.agent.cluster.state.named("web")] == [late]


async def test_one_under_way_ends_with_its_node_and_is_known_when_that_comes_back(start: Any) -> None:
    cluster = await start(2, ping_interval=0.1, ping_timeout=0.2)
    engine = cluster.engines[0]
    with engine.faults.hang() as frozen:  # as an engine that was stopped by a signal
        creating = asyncio.create_task(cluster.create("web"))
        await cluster.eventually(lambda: cluster.pending() == 1)
        async with asyncio.timeout(10):  # an answer may take 30 s else
            with pytest.raises(EngineTimeoutError, match=r"node n1: .*not known") as caught:
                await creating
        assert isinstance(caught.value, TemporaryError)
        assert engine.state.containers == {}
        with pytest.raises(ConflictError, match="It is on node n1"):
            await cluster.create("web")
        frozen.clear()
    late = engine.create("web", labels={SWARM_ID: _pending_id(cluster)})  # the engine gets to it at last
    await cluster.eventually(lambda: cluster.pending() == 0)
    assert [each.id for each in cluster.agent.cluster.state.named("web")] == cluster.ids() == [late]


async def test_a_pull_that_ends_with_its_node_is_done_on_another(start: Any) -> None:
    cluster = await start(2, ping_interval=0.1, ping_timeout=0.2)
    with cluster.engines[0].faults.hang(is_pull) as pulling:
        creating = asyncio.create_task(cluster.create("web", Image="redis:7"))
        await cluster.eventually(lambda: pulling.hits == 1)
        with cluster.engines[0].faults.hang():
            async with asyncio.timeout(10):
                created = await creating
    assert created.node == "n2"
    assert cluster.ids() == [created.id]


async def test_a_client_that_goes_away_leaves_the_name_taken_until_it_is_known(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skep.agent.doubt._LONG_HEALTHY", 0.2)
    monkeypatch.setattr("skep.agent.doubt._LOOK_EVERY", 0.05)
    cluster = await start(1)
    with cluster.engines[0].faults.hang(is_create) as fault:
        creating = asyncio.create_task(cluster.create("web"))
        await cluster.eventually(lambda: fault.hits == 1)
        creating.cancel()
        await asyncio.wait([creating])
        assert creating.cancelled()
        assert cluster.pending() == 1
    await cluster.eventually(lambda: cluster.pending() == 0)


async def test_a_request_that_cannot_be_read_is_refused_before_anything(start: Any) -> None:
    cluster = await start(1)
    with pytest.raises(RequestError) as caught:
        cluster.agent.request(json.dumps({"Image": 7}).encode(), "web")
    assert caught.value.status == 400
