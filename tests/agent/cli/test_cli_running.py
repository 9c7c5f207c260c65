"""Commands against a running agent, over embedded engines."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from skep.testing import EmbeddedEngine

PLUGINS = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist", "spread")


@pytest.fixture
async def engines() -> Any:
    """Two nodes; `one` is public and has a web server."""
    async with EmbeddedEngine("one", labels={"public": "yes"}) as one, EmbeddedEngine("two") as two:
        one.run("web", "nginx", ports={"80/tcp": "8080"}, env={"PASSWORD": "hunter2"})
        yield one, two


@pytest.fixture
def start(skep: Any, engines: Any, tmp_path: Path) -> Any:
    """Starts `skep run` on them."""

    async def started() -> Any:
        config = tmp_path / "skep.toml"
        tables = "".join(f"[plugins.{name}]\n" for name in PLUGINS)
        config.write_text(f"[cluster]\nengines = {json.dumps([each.url for each in engines])}\n{tables}")
        running = await skep.start("run", "-c", str(config), "--set", f'http.listen=["unix://{tmp_path}/skep.sock"]')
        await running.until("skep is up")
        return running

    return started


@pytest.fixture
async def agent(start: Any) -> Any:
    """`skep run` on them."""
    return await start()


async def test_what_runs_where(skep: Any, agent: Any, engines: Any) -> None:
    nodes = await skep("nodes")
    assert re.search(r"^one +healthy +1 \(1 up\).*public=yes$", nodes, re.MULTILINE)
    assert re.search(r"^two +healthy +0 \(0 up\)", nodes, re.MULTILINE)
    assert [node["name"] for node in json.loads(await skep("nodes", "--json"))] == ["one", "two"]
    assert re.search(r"one +web +nginx +running .*0\.0\.0\.0:8080->80/tcp", await skep("ps"))
    assert "hunter2" not in await skep("ps", "--json")
    assert "hunter2" not in await skep("ps", "-a")


async def test_why_it_goes_there(skep: Any, agent: Any) -> None:
    text = await skep("explain", "--", "docker", "run", "-d", "-e", "constraint:public==yes", "nginx")
    assert "it would go to one" in text
    assert "did you mean constraint:" in await skep("explain", "--", "-e", "contraint:public==no", "nginx")
    assert "topology, is not configured" in await skep("explain", "--", "-e", "spread:zone", "nginx")
    text = await skep("explain", "--", "-p", "8080:80", "-e", "constraint:public==yes", "nginx", code=1)
    assert re.search("one +refused +port 8080/tcp: .*web", text)
    assert re.search("two +refused +constraint public==yes: ", text)
    answer = json.loads(await skep("explain", "--json", "--", "-p", "8080:80", "nginx"))
    assert answer["chosen"] == "two"
    assert "only [a-zA-Z0-9]" in await skep("explain", "--", "--name", "/..", "nginx", code=1)
    assert "web" in await skep("explain", "--", "--name", "web", "nginx", code=1)


async def test_whether_all_is_well(skep: Any, agent: Any, engines: Any) -> None:
    assert await skep("health") == "healthy: 2 of 2 nodes\n"
    await engines[1].stop()
    async with asyncio.timeout(30):
        while "unhealthy" not in await skep("nodes"):
            await asyncio.sleep(0.05)
    text = await skep("health", code=1)
    assert text.startswith("NOT healthy: 1 of 2 nodes\nnode two is not healthy")
    assert json.loads(await skep("health", "--json", code=1))["nodes"]["unhealthy"] == ["two"]
    assert re.search(r"two +unhealthy .*two|engine", await skep("nodes"))


async def test_waiting_until_enough_nodes_are_well(skep: Any, engines: Any, start: Any) -> None:
    """Also for an agent that comes up later, as in a script that starts it in the background."""
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(skep("health", "--nodes", "2", "--wait", "25s"))
        assert "no agent answers" in await skep("health", code=1)
        await start()
    assert waiting.result() == "healthy: 2 of 2 nodes\n"
    assert await skep("health", "--nodes", "3", "--wait", "200ms", code=1) == "NOT healthy: 2 of 3 nodes\n"


async def busy(engine: EmbeddedEngine) -> None:
    """Start containers for ever: whoever begins to follow sees one soon."""
    for number in range(10_000):
        engine.run(f"job{number}")
        await asyncio.sleep(0.05)


async def test_events_are_followed(skep: Any, agent: Any, engines: Any) -> None:
    following = await skep.start("events")
    also = await skep.start("events", "--json")
    starting = asyncio.create_task(busy(engines[1]))
    line = await following.until("container_started")
    assert re.search(r"\d\d:\d\d:\d\d  container_started +two/job\d+  busybox", line)
    event = json.loads(await also.until("container_started"))
    assert event["node"] == "two"
    assert event["container"].startswith("job")
    starting.cancel()
    assert await agent.stop() == 0
    assert "the agent has stopped" in await following.until("stopped")
    assert await following.process.wait() == 1


async def test_which_plugins_run(skep: Any, agent: Any) -> None:
    text = await skep("plugins")
    assert re.search(r"^constraint +skep \S+ +running", text, re.MULTILINE)
    assert re.search(r"^docker_api +skep \S+ +installed", text, re.MULTILINE)
    rows = {row["name"]: row for row in json.loads(await skep("plugins", "--json"))}
    assert rows["spread"]["status"] == "running"


async def test_it_stops_in_order(skep: Any, agent: Any, tmp_path: Path) -> None:
    assert await agent.stop() == 0
    assert not (tmp_path / "skep.sock").exists()
    assert "no agent answers" in await skep("nodes", code=1)


async def test_without_an_agent_plugins_are_listed_by_name(skep: Any) -> None:
    del skep.environ["SKEP_AGENT"]
    if "no agent answers" not in (text := await skep("plugins")):
        pytest.skip("an agent runs on this machine")
    assert re.search(r"^discovery +skep \S+ +installed", text, re.MULTILINE)


async def test_settings_that_are_wrong_keep_it_from_starting(skep: Any, tmp_path: Path) -> None:
    config = tmp_path / "skep.toml"
    config.write_text('[cluster]\nengines = ["nonsense"]\nheartbeat = -1\n')
    text = await skep("run", "-c", str(config), code=1)
    assert "heartbeat" in text
    config.write_text('[cluster]\nengines = ["nonsense"]\n[plugins.nonsense]\n')
    text = await skep("run", "-c", str(config), code=1)
    assert "the port is missing" in text
    assert "plugin nonsense" in text


async def test_broken_plugins_are_named_and_hurt_no_other_command(skep: Any, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    metadata = tmp_path / "broken-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[skep]\nbroken = broken:Plugin\n")
    skep.environ["PYTHONPATH"] = str(tmp_path)
    assert "skep " in await skep("--version")
    assert "plugin broken is broken" in await skep("broken", "status", code=1)
    assert "nothing_of_that_name" in await skep("broken", "status", code=1)
    config = tmp_path / "skep.toml"
    config.write_text("[plugins.broken]\n[plugins.spread]\n")
    text = await skep("plugins", "-c", str(config))
    assert re.search(r"^broken +broken 1 +broken .*nothing_of_that_name", text, re.MULTILINE)
    assert re.search(r"^spread +skep \S+ +enabled", text, re.MULTILINE)


async def test_commands_of_a_plugin(skep: Any, tmp_path: Path) -> None:
    (tmp_path / "hello.py").write_text(
        "import click\nfrom skep import Plugin, agent_option\n"
        "@click.command()\n@agent_option\ndef greet(agent):\n    click.echo('hello ' + str(agent.timeout))\n"
        "class HelloPlugin(Plugin):\n    def add_commands(self):\n        return [greet]\n"
    )
    metadata = tmp_path / "hello-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hello\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[skep]\nhello = hello:HelloPlugin\n")
    skep.environ["PYTHONPATH"] = str(tmp_path)
    assert await skep("hello", "greet") == "hello 30.0\n"
    assert "greet" in await skep("hello", "--help")
    assert "No such command" in await skep("hello", "nonsense", code=2)
