"""`skep node`, on a running agent."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from skep import Agent, AgentClient, Container, ContainerState, Node, NodeStatus, NotFoundError, parse_settings
from skep_maintenance.command import node

SECONDS = 30


class Shell:
    """The command `skep`, and the agent that it asks."""

    def __init__(self, agent: Agent, url: str) -> None:
        self.agent = agent
        self.url = url

    async def start(self, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("skep")), *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "SKEP_AGENT": self.url, **environ},
        )

    async def __call__(self, *arguments: str, code: int = 0, **environ: str) -> list[str]:
        process = await self.start(*arguments, **environ)
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate()
        assert process.returncode == code, out.decode()
        return out.decode().splitlines()


@pytest.fixture
async def skep(tmp_path: Path) -> AsyncIterator[Shell]:
    url = f"unix://{tmp_path}/skep.sock"
    tables = {"http": {"listen": [url]}, "plugins": {"maintenance": {"state_file": f"{tmp_path}/drained.json"}}}
    async with Agent(parse_settings(tables)) as agent:
        for name in ("node-1", "node-2"):
            agent.cluster.state.put_node(Node(name, f"tcp://{name}:1", status=NodeStatus.HEALTHY))
        yield Shell(agent, url)


async def test_a_node_is_drained_listed_explained_and_activated(skep: Shell) -> None:
    lines = await skep("node", "drain", "node-2", "--reason", "new disk")
    assert lines[0].startswith("node-2 is drained by ")
    assert lines[0].endswith(": new disk")
    assert lines[1:] == ["it takes no new containers; none runs there"]
    listed = await skep("node", "ls")
    assert listed[0].split() == ["NODE", "STATUS", "CONTAINERS", "MAINTENANCE"]
    assert listed[1].split() == ["node-1", "healthy", "0", "(0", "up)", "active"]
    assert listed[2].endswith(": new disk")
    rows = json.loads("\n".join(await skep("node", "ls", "--json")))
    assert [bool(row["drain"]) for row in rows] == [False, True]
    explained = await skep("explain", "--", "app")
    assert any("node-2" in line and "drained by" in line for line in explained)
    assert explained[-1] == "it would go to node-1"
    assert await skep("node", "activate", "node-2") == ["node-2 is active again"]
    assert await skep("node", "activate", "node-2") == ["node-2 was not drained"]


async def test_it_waits_until_nothing_runs_there_telling_each_change(skep: Shell) -> None:
    state = skep.agent.cluster.state
    ids = {name: name.ljust(64, "0") for name in ("db", "web")}
    for name, full in ids.items():
        state.put_container(Container(full, name, "node-1", state=ContainerState.RUNNING))
    process = await skep.start("node", "drain", "node-1", "--wait", f"{SECONDS}s")
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        await process.stdout.readline()
        assert await process.stdout.readline() == b"it takes no new containers; 2 still run there: db, web\n"
        state.remove_container("node-1", ids["db"])
        assert await process.stdout.readline() == b"1 still run there\n"
        state.put_container(Container(ids["web"], "web", "node-1", state=ContainerState.EXITED))
        assert await process.stdout.readline() == b"nothing runs there any more\n"
        assert await process.wait() == 0
    state.put_container(Container(ids["web"], "web", "node-1", state=ContainerState.RUNNING))
    lines = await skep("node", "drain", "node-1", "--wait", "1ms", code=1)
    assert lines[-2].endswith("1 still run there: web")
    assert lines[-1] == "the time is over: 1 still run on node-1"


async def test_a_name_that_is_not_known_is_accepted_with_a_warning(skep: Shell) -> None:
    lines = await skep("node", "drain", "node-9")
    assert lines[-1] == "no node node-9 is known now; one that joins under this name takes no containers"
    assert (await skep("node", "ls"))[-1].split()[:4] == ["node-9", "not", "known", "-"]
    assert "no node 'node-7' is known" in (await skep("node", "activate", "node-7", code=1))[-1]


async def test_a_shell_completes_the_names(skep: Shell) -> None:
    async def completed(url: str) -> str:
        words = "skep node drain node-"
        lines = await skep(_SKEP_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD="3", SKEP_AGENT=url)
        return " ".join(lines)

    assert await completed(skep.url) == "plain,node-1 plain,node-2"
    assert await completed("unix:///nowhere") == ""


async def test_a_duration_must_not_be_negative(skep: Shell) -> None:
    assert "expected a duration of 0s or more" in (await skep("node", "drain", "node-1", "--for", "-5s", code=2))[-1]


def test_an_agent_without_the_plugin_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(*_: object, **__: object) -> None:
        raise NotFoundError("404: Not Found")

    monkeypatch.setattr(AgentClient, "get", get)
    result = CliRunner().invoke(node, ["ls", "--name", "care"])
    assert "a table [plugins.care]" in str(result.exception)
