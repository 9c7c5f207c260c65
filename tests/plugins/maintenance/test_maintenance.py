"""Nodes taken out of placement, and put back; over the agent's HTTP server, and across restarts."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from skep import Agent, Container, ContainerState, Node, NodeStatus, PlacementError, SettingsError, parse_settings

SECONDS = 10


class Desk:
    """An agent with the plugin and three nodes on paper, and its HTTP server."""

    def __init__(self, agent: Agent, session: aiohttp.ClientSession) -> None:
        self.agent = agent
        self._session = session

    async def post(self, what: str, status: int = 200, **body: Any) -> Any:
        async with self._session.post(f"http://localhost/plugins/maintenance/{what}", json=body) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json()

    async def rows(self) -> dict[str, Any]:
        async with self._session.get("http://localhost/plugins/maintenance/nodes") as answer:
            return {row["node"]: row for row in await answer.json()}

    def fitting(self) -> list[str]:
        placement = self.agent.place(self.agent.request(b'{"Image": "app"}'))
        return [row.node for row in placement.explain() if not row.refused_by]


Open = Callable[[], AbstractAsyncContextManager[Desk]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    @asynccontextmanager
    async def desk() -> AsyncIterator[Desk]:
        settings = parse_settings(
            {
                "http": {"listen": [f"unix://{tmp_path}/skep.sock"]},
                "plugins": {"maintenance": {"state_file": str(tmp_path / "state" / "drained.json")}},
            }
        )
        connector = aiohttp.UnixConnector(str(tmp_path / "skep.sock"))
        async with Agent(settings) as agent, aiohttp.ClientSession(connector=connector) as session:
            for name in ("n1", "n2", "n10"):
                agent.cluster.state.put_node(Node(name, f"tcp://{name}:1", status=NodeStatus.HEALTHY))
            yield Desk(agent, session)

    return desk


async def test_a_drained_node_takes_nothing_until_it_is_activated(opened: Open) -> None:
    async with opened() as desk:
        row = await desk.post("drain", node="n2", reason="new kernel", by="root@ops")
        assert (row["known"], row["drain"]["reason"], row["drain"]["until"]) == (True, "new kernel", 0.0)
        assert desk.fitting() == ["n1", "n10"]
        assert (await desk.rows())["n1"]["drain"] is None
        answer = await desk.post("activate", node="n2")
        assert answer["was_drained"]
        assert desk.fitting() == ["n1", "n2", "n10"]
        assert not (await desk.post("activate", node="n2"))["was_drained"]


async def test_it_is_told_who_drained_the_node_since_when_and_why(opened: Open) -> None:
    async with opened() as desk:
        for name in ("n1", "n2", "n10"):
            await desk.post("drain", node=name, reason="new\nkernel", by="root@ops", seconds=3600)
        text = (
            r"n1: maintenance: drained by root@ops since 20\d\d-\d\d-\d\d \d\d:\d\d UTC, until 20.* UTC: new kernel\n"
        )
        with pytest.raises(PlacementError, match=text) as caught:
            desk.fitting()
        assert str(caught.value).startswith(
            "Unable to find a node that satisfies the following conditions: a node that is not drained\n"
        )


async def test_it_is_kept_across_restarts(opened: Open, tmp_path: Path) -> None:
    async with opened() as desk:
        await desk.post("drain", node="n2", reason="disk")
        since = (await desk.rows())["n2"]["drain"]["since"]
    async with opened() as desk:
        assert desk.fitting() == ["n1", "n10"]
        again = await desk.post("drain", node="n2", reason="two disks")
        assert (again["drain"]["since"], again["drain"]["reason"]) == (since, "two disks")
        await desk.post("activate", node="n2")
    async with opened() as desk:
        assert desk.fitting() == ["n1", "n2", "n10"]
    file = tmp_path / "state" / "drained.json"
    assert json.loads(file.read_text()) == {"drained": [], "version": 1}
    assert [each.name for each in file.parent.iterdir()] == ["drained.json"]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"drained": 7}',
        b'{"drained": [{}]}',
        b'{"drained": [{"node": ""}]}',
        b'{"drained": [], "version": 2}',
        b'{"drained": [], "more": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
async def test_a_file_that_cannot_be_read_is_named_and_left_alone(opened: Open, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "state" / "drained.json"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(Exception, match=rf"{file}: which nodes are drained cannot be read: .*mend it, or delete it"):
        async with opened():
            pass
    assert file.read_bytes() == content


async def test_what_cannot_be_kept_does_not_count(opened: Open, tmp_path: Path) -> None:
    async with opened() as desk:
        (tmp_path / "state").write_text("a file where the folder should be")
        answer = await desk.post("drain", status=500, node="n2")
        assert f"nothing is changed: {tmp_path}/state/drained.json" in answer["message"]
        assert desk.fitting() == ["n1", "n2", "n10"]
        (tmp_path / "state").unlink()
        await desk.post("drain", node="n2")
        assert desk.fitting() == ["n1", "n10"]


async def test_a_drain_ends_by_itself_when_its_time_is_over(opened: Open) -> None:
    async with opened() as desk:
        await desk.post("drain", node="n1", seconds=9999)
        await desk.post("drain", node="n2", seconds=0.05)
        async with asyncio.timeout(SECONDS):
            while desk.fitting() != ["n2", "n10"]:
                await asyncio.sleep(0.01)
    async with opened() as desk:
        assert desk.fitting() == ["n2", "n10"]


async def test_one_whose_time_was_over_while_the_agent_was_away_ends_at_its_start(opened: Open, tmp_path: Path) -> None:
    file = tmp_path / "state" / "drained.json"
    file.parent.mkdir()
    file.write_text('{"drained": [{"node": "n1", "since": 1, "until": 2}, {"node": "n2", "since": 1}]}')
    async with opened() as desk, asyncio.timeout(SECONDS):
        while desk.fitting() != ["n1", "n10"]:
            await asyncio.sleep(0.01)


async def test_a_node_that_is_away_may_be_drained_and_is_refused_when_it_comes(opened: Open) -> None:
    async with opened() as desk:
        assert not (await desk.post("drain", node="n3"))["known"]
        assert list(await desk.rows()) == ["n1", "n2", "n10", "n3"]
        desk.agent.cluster.state.put_node(Node("n3", "tcp://n3:1", status=NodeStatus.HEALTHY))
        assert desk.fitting() == ["n1", "n2", "n10"]
        answer = await desk.post("activate", status=404, node="n4")
        assert answer["message"] == "no node 'n4' is known, nor is one of that name drained"


async def test_what_still_runs_there_is_told(opened: Open) -> None:
    async with opened() as desk:
        for name, state in (
            ("web", ContainerState.RUNNING),
            ("db", ContainerState.PAUSED),
            ("old", ContainerState.EXITED),
        ):
            desk.agent.cluster.state.put_container(Container(name.ljust(64, "0"), name, "n2", state=state))
        row = await desk.post("drain", node="n2")
        assert (row["containers"], row["running"], row["names"]) == (3, 2, ["db", "web"])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "node"),
        ({"node": ""}, "expected a node's name"),
        ({"node": "n" * 300}, "expected a node's name"),
        ({"node": "n\x1b[2J"}, "expected a node's name"),
        ({"node": 7}, "node"),
        ({"node": "n1", "reason": "x" * 501}, "reason: expected at most 500 characters"),
        ({"node": "n1", "seconds": -1}, "seconds"),
        ({"node": "n1", "seconds": 1e300}, "seconds"),
        ({"node": "n1", "untill": 1}, "untill"),
    ],
)
async def test_a_malformed_question_is_refused(opened: Open, body: dict[str, Any], text: str) -> None:
    async with opened() as desk:
        answer = await desk.post("drain", status=400, **body)
        assert text in answer["message"]
        assert desk.fitting() == ["n1", "n2", "n10"]


async def test_many_at_once_all_count(opened: Open) -> None:
    async with opened() as desk:
        await asyncio.gather(*(desk.post("drain", node=f"x{n}") for n in range(20)))
        assert len(await desk.rows()) == 23
    async with opened() as desk:
        assert len(await desk.rows()) == 23


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"state_file: expected an absolute path, not 'drained.json'"):
        Agent(parse_settings({"plugins": {"maintenance": {"state_file": "drained.json"}}}))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
async def test_what_is_no_file_in_its_place_is_named_at_once(
    opened: Open, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    file = tmp_path / "state" / "drained.json"
    file.parent.mkdir()
    make(file)
    with pytest.raises(Exception, match=rf"{file}: which nodes are drained cannot be read: it is no regular file"):
        async with opened():
            pass
