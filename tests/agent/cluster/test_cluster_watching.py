"""A cluster of embedded engines: joining, following, failing, recovering."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable

import pytest
from msgspec import structs

from skep.engine import Engine
from skep.errors import EngineUnreachableError, NotFoundError
from skep.models import NodeStatus
from skep.settings import ClusterSettings
from skep.testing import EmbeddedEngine
from tests.agent.cluster.observing import QUICK, Observed, eventually, observing, truth, until_true


async def test_what_is_there_is_told_as_initial_when_the_node_joins() -> None:
    async with EmbeddedEngine("n1") as engine:
        up, down = engine.run("up"), engine.create("down")
        async with observing(engine.url) as observed:
            assert observed.told[0].hook == "node_joined"
            assert observed.of(up) == ["created", "started"]
            assert observed.of(down) == ["created"]
            assert all(event.initial for event in observed.container_events())
            assert observed.known("n1") == await truth(engine.url, "n1")
            known = observed.cluster.state.get_node("n1")
            assert known is not None
            assert known.images
            assert known.networks
            later = engine.run("later")
            await eventually(lambda: observed.of(later) == ["created", "started"])
            assert not observed.container_events()[-1].initial
        assert observed.nodes() == ["joined", "left"]


async def test_a_pending_node_goes_by_its_address_and_says_why() -> None:
    async with observing("tcp://127.0.0.1:1") as observed:
        (node,) = observed.cluster.state.nodes
        assert (node.name, node.node.status) == ("tcp://127.0.0.1:1", NodeStatus.PENDING)
        assert "cannot connect" in node.node.error
        assert observed.told == []
        with pytest.raises(EngineUnreachableError, match="cannot connect"):
            await observed.cluster.refresh_container("tcp://127.0.0.1:1", "web")
        with pytest.raises(NotFoundError, match="No such node: n1"):
            observed.cluster.engine("n1")
    assert observed.told == []


async def test_a_whole_life_is_told_in_order() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url) as observed:
        id_ = engine.create("web", health="starting")
        steps: list[tuple[Callable[..., None], tuple[str, ...]]] = [
            (engine.start_container, ()),
            (engine.set_health, ("healthy",)),
            (engine.pause, ()),
            (engine.unpause, ()),
            (engine.rename, ("shop",)),
            (engine.stop_container, ()),
            (engine.remove, ()),
        ]
        for step, arguments in steps:
            await until_true(observed, engine.url, "n1")
            step(id_, *arguments)
        await until_true(observed, engine.url, "n1")
        word = ["created", "started", "health_changed", "paused", "unpaused", "renamed", "died", "destroyed"]
        assert observed.of(id_) == word
        observed.check_words()


async def test_a_container_that_joins_a_network_is_told() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url) as observed:
        id_ = engine.run("web")
        client = Engine(engine.url)
        network = json.loads(await client.call("POST", "/networks/create", json={"Name": "shop"}))["Id"]
        await client.call("POST", f"/networks/{network}/connect", json={"Container": id_})
        await eventually(lambda: observed.of(id_) == ["created", "started", "updated"])
        assert [end.network for end in observed.known("n1")[id_].networks] == ["bridge", "shop"]
        await client.call("POST", f"/networks/{network}/disconnect", json={"Container": id_})
        await eventually(lambda: observed.of(id_) == ["created", "started", "updated", "updated"])
        await client.aclose()
        observed.check_words()


async def test_refresh_returns_when_the_change_is_known() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url) as observed:
        engine.faults.drop_events()
        id_ = engine.create("web")
        refreshed = await observed.cluster.refresh_container("n1", id_)
        assert refreshed is not None
        assert observed.known("n1")[id_] == refreshed
        engine.rename(id_, "shop")
        again = await observed.cluster.refresh_container("n1", "shop")
        assert again is not None
        assert again.name == "shop"
        engine.remove(id_)
        assert await observed.cluster.refresh_container("n1", "shop") is None
        assert observed.known("n1") == {}
        assert observed.of(id_) == ["created", "renamed", "destroyed"]


async def test_a_refresh_during_a_read_waits_for_the_next_one() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url) as observed:
        id_ = engine.run("web")
        await until_true(observed, engine.url, "n1")
        with engine.faults.delay(0.2, f"/containers/{id_}/json") as slow:
            engine.pause(id_)
            await eventually(lambda: slow.hits)
            engine.faults.drop_events()
            engine.unpause(id_)
            engine.rename(id_, "shop")
            refreshed = await observed.cluster.refresh_container("n1", id_)
        assert refreshed is not None
        assert (refreshed.name, refreshed.state) == ("shop", "running")


async def test_a_refresh_while_the_engine_is_read_again_waits_until_all_is_told() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url) as observed:
        id_ = engine.run("web")
        await until_true(observed, engine.url, "n1")
        with engine.faults.delay(0.3, "/images/json") as slow:
            engine.faults.close_events()
            await eventually(lambda: slow.hits)
            engine.rename(id_, "shop")
            await observed.cluster.refresh_container("n1", id_)
            assert observed.known("n1")[id_].name == "shop"


async def test_lost_events_are_found_and_counted() -> None:
    settings = ClusterSettings(resync_interval=0.2)
    async with EmbeddedEngine("n1") as engine, observing(engine.url, settings=settings) as observed:
        engine.faults.drop_events()
        id_ = engine.run("web")
        await eventually(lambda: observed.of(id_) == ["created", "started"])
        engine.stop_container(id_)
        await eventually(lambda: observed.of(id_)[2:] == ["died"])
        assert observed.cluster.member("n1").counters.gaps == 2
        assert observed.nodes() == ["joined"]
        engine.faults.clear()
        engine.remove(id_)
        await eventually(lambda: observed.of(id_)[3:] == ["destroyed"])
        assert observed.cluster.member("n1").counters.gaps == 2


async def test_what_changes_nothing_is_not_read() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url, settings=ClusterSettings()) as observed:
        id_ = engine.run("web")
        await until_true(observed, engine.url, "n1")
        with engine.faults.delay(0, f"/containers/{id_}/json") as inspections:
            for action in ("exec_create: sh", "exec_die", "top", "resize", "attach", "archive-path"):
                engine.faults.flood_events(10, action, id_)
            seen = observed.cluster.member("n1").counters.events
            await eventually(lambda: observed.cluster.member("n1").counters.events >= seen + 60)
            assert inspections.hits == 0


async def test_a_flood_costs_few_inspections_and_loses_nothing() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url, settings=ClusterSettings()) as observed:
        flooded, other = engine.run("flooded"), engine.run("other")
        await until_true(observed, engine.url, "n1")
        with engine.faults.delay(0, f"/containers/{flooded}/json") as inspections:
            for _ in range(20):
                engine.faults.flood_events(500, "update", flooded)
                await asyncio.sleep(0)
            engine.stop_container(other)
            engine.rename(flooded, "done")
            await until_true(observed, engine.url, "n1")
            assert inspections.hits < 60
        assert observed.status("n1") is NodeStatus.HEALTHY


async def test_one_container_that_cannot_be_read_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    async with EmbeddedEngine("n1") as engine:
        hung, broken = engine.run("hung"), engine.run("broken")
        faults = [engine.faults.hang_inspect(hung), engine.faults.malformed(f"/containers/{broken}/json")]
        async with observing(engine.url, settings=ClusterSettings(call_timeout=0.3)) as observed:
            assert observed.status("n1") is NodeStatus.HEALTHY
            others = [engine.run(f"c{number}") for number in range(20)]
            await eventually(lambda: all(observed.of(id_) == ["created", "started"] for id_ in others))
            assert set(observed.known("n1")) == set(others)
            for fault in faults:
                fault.clear()
            await until_true(observed, engine.url, "n1")
            assert observed.nodes() == ["joined"]
            assert observed.of(hung) == observed.of(broken) == ["created", "started"]
    complaints = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(complaints) == 2
    assert {hung in text or broken in text for text in complaints} == {True}


@pytest.mark.parametrize(
    ("fault", "path", "reason"),
    [
        ("malformed", "/containers/json", "list of containers"),
        ("wrong_types", "/containers/json", "list of containers"),
        ("malformed", "/info", "/info"),
        ("wrong_types", "/images/json", "list of images"),
        ("malformed", "/networks", "list of networks"),
        ("wrong_types", "/volumes", "list of volumes"),
        ("endless_line", "/containers/json", "/containers/json: the answer has more than"),
        ("truncate", "/containers/json", "/containers/json"),
    ],
)
async def test_an_engine_that_makes_no_sense_is_named_and_left_alone(fault: str, path: str, reason: str) -> None:
    async with EmbeddedEngine("bad") as bad, EmbeddedEngine("good") as good:
        bad.run("web")
        set_fault = getattr(bad.faults, fault)(path)
        async with observing(bad.url, good.url) as observed:
            node = observed.cluster.state.get_node(bad.url)
            assert node is not None
            assert node.node.status is NodeStatus.PENDING
            assert reason in node.node.error
            id_ = good.run("web")
            await eventually(lambda: observed.of(id_) == ["created", "started"])
            set_fault.clear()
            await until_true(observed, bad.url, "bad")
            if fault == "truncate":
                return  # a list that breaks off is asked for again
            with getattr(bad.faults, fault)(path):
                bad.create("new")
                bad.add_image("new")
                if path != "/info":
                    await eventually(lambda: observed.status("bad") is NodeStatus.UNHEALTHY)
                    assert len(observed.known("bad")) >= 1
            await until_true(observed, bad.url, "bad")
            observed.check_words()


async def test_null_lists_lose_nothing() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url) as observed:
        id_ = engine.run("web")
        await until_true(observed, engine.url, "n1")
        with engine.faults.change(lambda body: b"null", "/containers/json"):
            before = observed.cluster.member("n1").counters.resyncs
            await eventually(lambda: observed.cluster.member("n1").counters.resyncs > before + 2)
        assert observed.of(id_) == ["created", "started"]


async def test_a_restart_is_told_and_ends_true() -> None:
    async with EmbeddedEngine("n1") as engine:
        kept, lost = engine.run("kept", RestartPolicy={"Name": "always"}), engine.run("lost")
        async with observing(engine.url) as observed:
            await engine.restart()
            await until_true(observed, engine.url, "n1")
            await eventually(lambda: observed.of(kept) == ["created", "started", "died", "started"])
            assert observed.of(lost) == ["created", "started", "died"]
            observed.check_words()
            assert observed.cluster.member("n1").counters.reconnects >= 1


async def test_what_happened_while_the_engine_was_down_is_found_without_its_memory() -> None:
    settings = structs.replace(QUICK, resync_interval=1000.0)
    async with EmbeddedEngine("n1") as engine:
        await engine.stop()
        await engine.start("tcp://127.0.0.1:0")
        removed, kept = engine.run("removed"), engine.run("kept")
        async with observing(engine.url, settings=settings) as observed:
            await engine.stop()
            await eventually(lambda: observed.status("n1") is NodeStatus.UNHEALTHY)
            engine.remove(removed, force=True)
            engine.restart_container(kept)
            engine.state.events.forget()
            await engine.start()
            await until_true(observed, engine.url, "n1")
            assert observed.nodes() == ["joined", "unhealthy", "recovered"]
            assert observed.of(removed) == ["created", "started", "died", "destroyed"]
            assert observed.of(kept) == ["created", "started", "died", "started"]


async def test_a_stream_that_breaks_is_no_reason_to_call_the_node_unhealthy() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url) as observed:
        engine.faults.close_events()
        id_ = engine.run("web")
        await eventually(lambda: observed.of(id_) == ["created", "started"])
        await eventually(lambda: observed.cluster.member("n1").counters.reconnects == 1)
        assert observed.nodes() == ["joined"]


async def test_an_engine_that_hangs_is_unhealthy_and_recovers_with_the_differences() -> None:
    async with EmbeddedEngine("n1") as engine, EmbeddedEngine("n2") as other:
        gone, stays = engine.run("gone"), engine.run("stays")
        async with observing(engine.url, other.url) as observed:
            with engine.faults.hang():
                await eventually(lambda: observed.status("n1") is NodeStatus.UNHEALTHY)
                assert set(observed.known("n1")) == {gone, stays}
                node = observed.cluster.state.get_node("n1")
                assert node is not None
                assert "/_ping: no answer in time" in node.node.error
                assert node not in observed.cluster.state.healthy_nodes()
                id_ = other.run("web")
                await eventually(lambda: observed.of(id_) == ["created", "started"])
                engine.remove(gone, force=True)
            await until_true(observed, engine.url, "n1")
            assert observed.nodes("n1") == ["joined", "unhealthy", "recovered"]
            assert observed.of(gone) == ["created", "started", "died", "destroyed"]
            assert observed.of(stays) == ["created", "started"]


async def test_labels_follow_a_reload() -> None:
    async with EmbeddedEngine("n1", labels={"a": "1"}) as engine, observing(engine.url) as observed:
        engine.labels["a"] = "2"
        engine.state.events.emit("daemon", "reload", engine.engine_id, {"name": "n1"})
        await eventually(lambda: observed.nodes() == ["joined", "updated"])
        assert len(observed.cluster.state.with_label("a", "2".__eq__)) == 1


async def test_start_up_misses_nothing_however_late_the_engine_subscribes() -> None:
    async with EmbeddedEngine("n1") as engine:
        engine.faults.subscribe_delay = 0.3
        with engine.faults.hang("/containers/json") as listing:
            starting = asyncio.ensure_future(anext(_observe(engine.url)))
            await eventually(lambda: listing.hits)
            before = engine.run("before")
            listing.clear()
        between = engine.run("between")
        observed = await starting
        after = engine.run("after")
        ids = (before, between, after)
        await eventually(lambda: all(observed.of(id_) == ["created", "started"] for id_ in ids))
        await observed.cluster.set_engines([])


async def _observe(url: str) -> AsyncIterator[Observed]:
    async with observing(url, settings=ClusterSettings()) as observed:
        yield observed
        await asyncio.Event().wait()
