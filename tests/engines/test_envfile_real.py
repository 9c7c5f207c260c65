"""Env files and a real engine: the stock docker command asks for values, and a changed file reaches real containers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from contrib.lab import Host
from skep import Agent, Lookup, NotFoundError, Plugin, Values, parse_settings
from skep.testing import wait_for

LOOP = ("sh", "-c", "trap 'echo hup >>/told' HUP; while :; do sleep 0.1; done")


class Made(Plugin):
    """The lookup `made`, whose answers the test sets."""

    name = "made"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.answers = {"prod": {"DB_URL": "postgres://db/one?a=b c", "PASSWORD": "s3cret #1"}}

    def lookups(self) -> dict[str, Lookup]:
        async def resolve(properties: Any) -> Values:
            if properties["Name"] not in self.answers:
                raise NotFoundError(f"there is no {properties['Name']}")
            return Values(self.answers[properties["Name"]], secret=["PASSWORD"])

        return {"made": Lookup(resolve=resolve, properties={"Name": ""}, required=("Name",), max_age=0.001)}


class Site:
    """An agent over the engine, which serves the Docker API and keeps the file `prod`."""

    def __init__(self, engine: Host, folder: Path) -> None:
        self.file = folder / "prod.env"
        self.made = Made()
        self._url = f"unix://{folder}/docker.sock"
        self._engine = engine
        self._folder = folder
        self._stack = AsyncExitStack()
        self.agent: Any = None

    async def start(self, *actions: dict[str, Any], include: tuple[str, ...] = (), ask: str = "made") -> None:
        """Start the agent; returns when the file is true."""
        source = {"lookup": "made", "properties": {"Name": "prod"}, "include": include}
        file = {"path": str(self.file), "sources": [source], "include": include, "on_change": actions}
        envfile = {"files": {"prod": file}, "state": f"{self._folder}/state.json", "ask": [ask, "envfile==prod"]}
        plugins = {"envfile": envfile, "spread": {}, "docker_api": {"listen": [self._url]}}
        settings = parse_settings({"cluster": {"engines": [self._engine.url]}, "plugins": plugins})
        self.agent = await self._stack.enter_async_context(Agent(settings, plugins=[self.made]))
        await wait_for(lambda: self.keeper.files["prod"].state == "good", 20)

    async def stop(self) -> None:
        await self._stack.aclose()

    @property
    def keeper(self) -> Any:
        return self.agent.plugins.plugins["envfile"].keeper

    async def change(self, **values: str) -> None:
        self.made.answers["prod"] = values
        await self.keeper.refresh()

    async def done(self) -> None:
        await wait_for(lambda: not self.keeper.actions.status("prod").pending, 40)

    async def docker(self, *arguments: str, fails: bool = False) -> str:
        """The stock docker command on the agent's Docker API; what it printed."""
        process = await asyncio.create_subprocess_exec(
            *("docker", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "DOCKER_HOST": self._url},
        )
        try:
            async with asyncio.timeout(40):
                text = (await process.communicate())[0].decode().strip()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert bool(process.returncode) is fails, text
        return text

    async def env(self, name: str) -> dict[str, str]:
        """What a process in the container sees."""
        return dict(line.split("=", 1) for line in (await self.docker("exec", name, "env")).splitlines())


@pytest.fixture
async def site(engine: Host, tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(engine, tmp_path)
    try:
        yield made
    finally:
        await made.stop()


async def test_a_container_that_asks_has_the_values(site: Site) -> None:
    await site.start()
    await site.docker("run", "-d", "--name", "web", "-e", "from:made==prod", "-e", "OWN=1", "busybox", *LOOP)
    env = await site.env("web")
    assert (env["OWN"], env["DB_URL"], env["PASSWORD"]) == ("1", "postgres://db/one?a=b c", "s3cret #1")
    assert not any(name.startswith("from") for name in env)
    label = '{{index .Config.Labels "skep.from"}}'
    assert await site.docker("inspect", "-f", label, "web") == '["made==prod"]'


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("made==gone", "from:made==gone: there is no gone"),
        ("other==prod", "containers may not ask this of the lookup other"),
        ("made=prod", "expected ==, as in from:stack==prod"),
    ],
)
async def test_the_docker_command_says_why_a_container_is_refused(site: Site, entry: str, told: str) -> None:
    await site.start()
    said = await site.docker("run", "-d", "--name", "web", "-e", f"from:{entry}", "busybox", fails=True)
    assert told in said
    assert "Unable to find image" not in said
    assert await site.docker("ps", "-aq") == ""


async def test_what_docker_reads_from_the_file_is_what_was_looked_up(site: Site) -> None:
    await site.start()
    await site.docker("run", "-d", "--name", "web", "--env-file", str(site.file), "busybox", *LOOP)
    assert (await site.env("web")).items() >= site.made.answers["prod"].items()


async def test_a_changed_file_signals_and_restarts(site: Site) -> None:
    await site.start({"do": "signal", "signal": "HUP", "label": "env=prod"}, {"do": "restart", "timeout": 30})
    await site.docker("run", "-d", "--name", "told", "-l", "env=prod", "busybox", *LOOP)
    await site.docker("run", "-d", "--name", "anew", "-l", "skep.envfile=prod", "--stop-timeout", "1", "busybox", *LOOP)
    started = await site.docker("inspect", "-f", "{{.State.StartedAt}}", "anew")
    await site.change(DB_URL="two")
    await site.done()
    await wait_for(lambda: site.docker("exec", "told", "cat", "/told"), 20)
    assert await site.docker("inspect", "-f", "{{.State.StartedAt}}", "anew") != started


async def test_a_changed_file_recreates_with_network_volumes_and_what_was_asked_for(site: Site) -> None:
    await site.start({"do": "recreate"})
    await site.docker("network", "create", "one")
    await site.docker("network", "create", "two")
    await site.docker(
        *("run", "-d", "--name", "web", "-l", "skep.envfile=prod", "--env-file", str(site.file), "-e", "OWN=1"),
        *("-e", "from:made==prod", "--network", "one", "--network-alias", "api", "-v", "/data", "-v", "named:/named"),
        *("-p", "80", "--memory", "64m", "--stop-timeout", "1", "busybox", *LOOP),
    )
    await site.docker("network", "connect", "--alias", "second", "two", "web")
    await site.docker("exec", "web", "sh", "-c", "echo kept | tee /data/file /named/file")
    old = await site.docker("inspect", "-f", "{{.Id}}", "web")
    await site.change(DB_URL="two", PASSWORD="other", NEW="3")
    await site.done()
    assert await site.docker("inspect", "-f", "{{.Id}} {{.State.Running}}", "web") != f"{old} true"
    env = await site.env("web")
    assert (env["OWN"], env["DB_URL"], env["PASSWORD"], env["NEW"]) == ("1", "two", "other", "3")
    assert await site.docker("exec", "web", "cat", "/data/file", "/named/file") == "kept\nkept"
    networks = "{{range $k, $v := .NetworkSettings.Networks}}{{$k}}={{$v.Aliases}} {{end}}"
    ends = dict(
        each.split("=")
        for each in (await site.docker("inspect", "-f", networks, "web")).replace(" ]", "]").split("] ")
        if each
    )
    assert set(ends) == {"one", "two"}
    assert "api" in ends["one"]
    assert "second" in ends["two"]
    assert await site.docker("inspect", "-f", "{{.HostConfig.Memory}} {{.Config.Image}}", "web") == "67108864 busybox"
    assert len((await site.docker("ps", "-aq")).splitlines()) == 1


async def test_one_that_cannot_be_started_leaves_the_old_one_running(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skep_envfile.actions.actions._FIRST_PAUSE", 300.0)  # no other try before the test has looked
    site.made.answers["prod"] = {"DB_URL": "one", "PATH": "/bin:/usr/bin"}
    await site.start({"do": "recreate"}, include=("DB_URL", "PATH"))
    await site.docker(
        *("run", "-d", "--name", "web", "-l", "skep.envfile=prod", "--env-file", str(site.file), "--stop-timeout", "1"),
        *("busybox", *LOOP),
    )
    old = await site.docker("inspect", "-f", "{{.Id}}", "web")
    await site.change(DB_URL="two", PATH="/nowhere")  # where no sh is found
    await wait_for(lambda: site.keeper.actions.status("prod").failures >= 1, 40)
    assert "the old one is as it was" in site.keeper.actions.status("prod").error
    assert "not found" in site.keeper.actions.status("prod").error
    assert await site.docker("inspect", "-f", "{{.Id}} {{.State.Running}}", "web") == f"{old} true"
    assert (await site.env("web"))["DB_URL"] == "one"
    await site.change(DB_URL="three", PATH="/bin:/usr/bin")
    await site.done()
    assert (await site.env("web"))["DB_URL"] == "three"
    assert len((await site.docker("ps", "-aq")).splitlines()) == 1
