"""A cluster's members: who may join, who leaves, and what is passed on of their events."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from msgspec import structs

from skep.errors import SettingsError
from skep.models import NodeStatus
from skep.settings import ClusterSettings, TlsSettings
from skep.testing import EmbeddedEngine
from tests.agent.cluster.observing import QUICK, eventually, observing, until_true


async def test_two_addresses_of_one_engine_are_one_node_and_a_loud_error() -> None:
    async with (
        EmbeddedEngine("n1") as engine,
        EmbeddedEngine("n2", engine_id=engine.engine_id) as clone,
        observing(engine.url) as observed,
    ):
        await observed.cluster.set_engines([engine.url, clone.url])
        await observed.cluster.tried()
        node = observed.cluster.state.get_node(clone.url)
        assert node is not None
        assert node.node.status is NodeStatus.PENDING
        assert engine.url in node.node.error
        assert clone.url in node.node.error
        assert observed.nodes() == ["joined"]
        await observed.cluster.set_engines([clone.url])
        await eventually(lambda: observed.status("n2") is NodeStatus.HEALTHY)
        assert observed.nodes() == ["joined", "left", "joined"]


async def test_two_nodes_of_one_name_are_refused() -> None:
    async with (
        EmbeddedEngine("n1") as one,
        EmbeddedEngine("n1", engine_id="OTHER") as two,
        observing(one.url) as observed,
    ):
        await observed.cluster.set_engines([one.url, two.url])
        await observed.cluster.tried()
        node = observed.cluster.state.get_node(two.url)
        assert node is not None
        assert "has the name n1" in node.node.error
        assert one.url in node.node.error
        assert observed.cluster.engine("n1").address == one.url
        assert observed.cluster.engine(two.url).address == two.url


async def test_another_engine_at_the_address_is_refused_until_the_first_is_back() -> None:
    async with EmbeddedEngine("n1") as engine:
        id_ = engine.run("web")
        true_id = engine.engine_id
        async with observing(engine.url) as observed:
            engine.faults.engine_id = "OTHER"
            engine.faults.close_events()
            await eventually(lambda: observed.status(engine.url) is NodeStatus.PENDING)
            await eventually(lambda: observed.cluster.state.nodes[0].node.error)
            error = observed.cluster.state.nodes[0].node.error
            assert true_id in error
            assert "OTHER" in error
            assert list(observed.cluster.state.containers()) == []
            engine.faults.engine_id = None
            await until_true(observed, engine.url, "n1")
            assert observed.nodes() == ["joined", "left", "joined"]
            assert observed.of(id_) == ["created", "started", "created", "started"]


async def test_a_node_with_a_new_name_keeps_its_containers() -> None:
    async with EmbeddedEngine("n1") as engine:
        id_ = engine.run("web")
        async with observing(engine.url) as observed:
            engine.name = "n9"
            await engine.restart(live_restore=True)
            await until_true(observed, engine.url, "n9")
            assert [node.name for node in observed.cluster.state.nodes] == ["n9"]
            assert observed.of(id_) == ["created", "started"]
            assert observed.nodes()[-1] == "updated"
            assert observed.cluster.engine("n9").address == engine.url


# -- membership


async def test_addresses_that_mean_the_same_are_one() -> None:
    async with EmbeddedEngine("n1") as engine:
        await engine.stop()
        await engine.start("tcp://127.0.0.1:0")
        bare = engine.url.removeprefix("tcp://")
        async with observing(engine.url, bare, f"http://{bare}/") as observed:
            assert [node.name for node in observed.cluster.state.nodes] == ["n1"]


async def test_engines_over_tls(certificates: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates / "server.pem", certificates / "server-key.pem")
    server.load_verify_locations(certificates / "ca.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    cert, key = str(certificates / "client.pem"), str(certificates / "client-key.pem")
    settings = structs.replace(QUICK, tls=TlsSettings(ca=str(certificates / "ca.pem"), cert=cert, key=key))
    plain, secure = EmbeddedEngine("plain"), EmbeddedEngine("secure")
    await secure.start("tcp://127.0.0.1:0", ssl_context=server)
    async with plain, secure, observing(plain.url, secure.url, settings=settings) as observed:
        assert {observed.status("plain"), observed.status("secure")} == {NodeStatus.HEALTHY}
        id_ = secure.run("web")
        await eventually(lambda: observed.of(id_) == ["created", "started"])
    strange = structs.replace(QUICK, tls=TlsSettings(ca=str(certificates / "other.pem"), cert=cert, key=key))
    await secure.start("tcp://127.0.0.1:0", ssl_context=server)
    async with secure, observing(secure.url, settings=strange) as observed:
        (node,) = observed.cluster.state.nodes
        assert "its certificate is refused" in node.node.error


async def test_wrong_addresses_are_named(caplog: pytest.LogCaptureFixture) -> None:
    settings = ClusterSettings(engines=("nonsense",))
    async with EmbeddedEngine("n1") as engine, observing(settings=settings) as observed:
        with pytest.raises(SettingsError, match="'nonsense'"):
            await observed.cluster.set_engines(["nonsense"])
        await observed.cluster.set_engines([engine.url, "ftp://there"])
        await observed.cluster.tried()
        assert [node.name for node in observed.cluster.state.nodes] == ["n1"]
    assert any("left out of the cluster: engine address 'ftp://there'" in r.getMessage() for r in caplog.records)


async def test_members_may_be_set_from_many_sides_at_once() -> None:
    async with EmbeddedEngine("n1") as one, EmbeddedEngine("n2") as two, observing() as observed:
        sets = [[one.url], [two.url], [one.url, two.url], []] * 10
        setting = [asyncio.ensure_future(observed.cluster.set_engines(each)) for each in sets]
        await asyncio.sleep(0)
        for each in setting[::3]:
            each.cancel()
        await asyncio.gather(*setting, return_exceptions=True)
        await observed.cluster.set_engines([one.url])
        await eventually(lambda: observed.status("n1") is NodeStatus.HEALTHY)
        assert [node.name for node in observed.cluster.state.nodes] == ["n1"]
        observed.check_words()
    watching = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert watching == []


async def test_a_bug_in_watching_costs_one_member_a_pause(caplog: pytest.LogCaptureFixture) -> None:
    async with EmbeddedEngine("n1") as one, EmbeddedEngine("n2") as two, observing(one.url, two.url) as observed:
        member = observed.cluster.member("n1")
        put_container = member.put_container
        member.put_container = None  # type: ignore[method-assign, assignment]
        web = one.run("web")
        await eventually(lambda: member.counters.crashes == 1)
        assert observed.status("n1") is NodeStatus.UNHEALTHY
        member.put_container = put_container  # type: ignore[method-assign]
        other = two.run("web")
        await eventually(lambda: observed.of(other) == ["created", "started"])
        await until_true(observed, one.url, "n1")
        observed.check_words()
        assert observed.of(web) == ["created", "started"]
    assert "Traceback" in caplog.text


# -- the engines' own events


async def test_events_come_when_the_state_knows_of_them() -> None:
    async with EmbeddedEngine("n1") as engine, observing(engine.url) as observed:
        engine.run("before")
        await until_true(observed, engine.url, "n1")
        async with observed.cluster.engine_events() as stream:
            with engine.faults.delay(0.1, "/containers/*/json"):
                id_ = engine.run("web")
                async with asyncio.timeout(5):
                    async for node, event in stream:
                        assert node == "n1"
                        assert event.attributes.get("name") != "before"
                        if (event.action, event.id) == ("start", id_):
                            break
                assert observed.known("n1")[id_].state == "running"


async def test_a_reader_gets_what_happened_while_the_stream_was_cut() -> None:
    async with (
        EmbeddedEngine("n1") as engine,
        observing(engine.url) as observed,
        observed.cluster.engine_events() as stream,
    ):
        names: list[str] = []
        for number in range(4):
            engine.create(f"c{number}")
            if number == 1:
                engine.faults.close_events()
        async with asyncio.timeout(5):
            while len(names) < 4:
                _, event = await stream.get()
                names += [event.attributes["name"]] if event.action == "create" else []
        assert names == ["c0", "c1", "c2", "c3"]


async def test_a_slow_listener_is_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        EmbeddedEngine("n1") as engine,
        observing(engine.url, settings=ClusterSettings()) as observed,
        observed.cluster.engine_events() as slow,
    ):
        count = 0
        while not slow.note:
            engine.faults.flood_events(500, "top", "0" * 64)
            count += 500
            async with asyncio.timeout(2):
                while observed.cluster.member("n1").counters.events < count:
                    await asyncio.sleep(0)
        assert len([each async for each in slow]) == 10_000
        assert "10000 events wait" in slow.note
    assert "cut off" in caplog.text
