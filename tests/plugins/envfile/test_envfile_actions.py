"""What happens when an env file has changed: once, in order, again where it failed, and after a kill of the agent."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from skep import ContainerStopping, DeniedError, Lookup, Plugin, RequestError, Values
from skep.testing import EmbeddedEngine, wait_for
from skep_envfile import EnvFileSettings
from skep_envfile.actions import Actions, ActionSettings
from skep_envfile.change import Change

SIGNAL = {"do": "signal", "signal": "HUP"}
PROD = {"skep.envfile": "other, prod"}
RECREATE = {"do": "recreate", "timeout": 5}


def is_start(method: str, path: str) -> bool:
    return method == "POST" and path.endswith("/start")


def is_create(method: str, path: str) -> bool:
    return method == "POST" and path == "/containers/create"


def is_stop(method: str, path: str) -> bool:
    return method == "POST" and path.endswith("/stop")


class World(Plugin):
    """The lookup `made`, whose answer the test sets, and what plugins are asked about ends of containers."""

    name = "world"
    values: dict[str, str]
    stopped: list[tuple[str, str]]
    refuses = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.values = {"URL": "one", "SECRET": "s3cret"}
        self.stopped = []

    def lookups(self) -> dict[str, Lookup]:
        async def resolve(properties: Any) -> Values:
            return Values(self.values, secret=["SECRET"])

        return {"made": Lookup(resolve=resolve, max_age=0.001)}

    async def container_stopping(self, stopping: ContainerStopping) -> None:
        self.stopped.append((stopping.container.name, stopping.action))
        if self.refuses:
            raise RequestError("not now")


class Site:
    """An engine and agents over it, one after another, that keep the file `prod` with the given actions."""

    def __init__(self, engine: EmbeddedEngine, folder: Path, agents: Callable[..., Any]) -> None:
        self.engine = engine
        self.file = folder / "prod.env"
        self.state = folder / "state.json"
        self.journal = folder / "state-actions.json"
        self.world = World()
        self._agents = agents
        self.agent: Any = None

    async def start(self, *actions: dict[str, Any], ask: Sequence[str] = ()) -> None:
        """Start the agent; returns when the file is true."""
        file = {"path": str(self.file), "sources": [{"lookup": "made"}], "on_change": actions}
        plugins = {"envfile": {"files": {"prod": file}, "state": str(self.state), "ask": ask}, "spread": {}}
        self.agent = await self._agents(plugins=[self.world], engines=[self.engine], settings={"plugins": plugins})
        await wait_for(lambda: self.keeper.files["prod"].state == "good")

    @property
    def keeper(self) -> Any:
        return self.agent.plugins.plugins["envfile"].keeper

    async def change(self, **values: str) -> None:
        """Have the lookup answer this, and the file true again."""
        self.world.values = values
        await self.keeper.refresh()

    def status(self) -> Any:
        return self.keeper.actions.status("prod")

    async def done(self) -> None:
        """Wait until there is nothing more to do."""
        await wait_for(lambda: not self.status().pending)

    def env(self, name: str) -> dict[str, str]:
        return dict(each.split("=", 1) for each in self.named(name).config["Env"])

    def named(self, name: str) -> Any:
        return next(each for each in self.engine.state.containers.values() if each.name == name)

    def names(self) -> list[str]:
        return sorted(each.name for each in self.engine.state.containers.values())


@pytest.fixture
def site(embedded_engine: EmbeddedEngine, tmp_path: Path, skep_agent: Any, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr("skep_envfile.actions.actions._FIRST_PAUSE", 0.05)
    return Site(embedded_engine, tmp_path, skep_agent)


def told(site: Site, action: str) -> list[str]:
    """The engine's events of that kind, by the container's name; those of ends aside."""
    found = (each for each in site.engine.state.events.recent if each.action.startswith(action))
    return [each.attributes["name"] for each in found if each.attributes.get("signal") not in ("9", "15")]


async def test_signals_and_restarts_go_to_running_containers_with_the_label(site: Site) -> None:
    site.engine.run("web", labels={"env": "prod"})
    site.engine.run("test", labels={"env": "test"})
    site.engine.create("idle", labels={"env": "prod"})
    site.engine.run("cache", labels=PROD)
    await site.start({"do": "signal", "signal": "USR1", "label": "env=prod"}, {"do": "restart"})
    await site.done()
    assert (told(site, "kill"), told(site, "restart")) == (["web"], ["cache"])
    assert site.world.stopped == [("cache", "restart")]
    await site.keeper.refresh()
    await site.change(URL="two")
    await site.done()
    assert (told(site, "kill"), told(site, "restart")) == (["web", "web"], ["cache", "cache"])
    await wait_for(lambda: json.loads(site.journal.read_text()) == {})


async def test_recreated_it_has_the_new_values_and_all_else_as_it_was(site: Site) -> None:
    env = ["OWN=1", "URL=zero", "GONE=x"]
    old = site.engine.run("web", env=env, labels=PROD, ports={80: 8080})
    await site.start(RECREATE)
    await site.done()
    before = site.named("web")
    assert before.id != old
    await site.change(URL="two", NEW="3")
    await site.done()
    web = site.named("web")
    found = {name: value for name, value in site.env("web").items() if name != "PATH"}
    assert found == {"OWN": "1", "GONE": "x", "URL": "two", "NEW": "3"}
    assert (site.names(), web.status) == (["web"], "running")
    assert web.host["PortBindings"] == before.host["PortBindings"]
    assert site.world.stopped == [("web", "stop"), ("web", "stop")]
    assert [each.id for each in site.agent.cluster.state.named("web")] == [web.id]
    await site.keeper.refresh()
    assert site.named("web").id == web.id


@pytest.mark.parametrize("where", [is_create, is_start, is_stop])
async def test_where_it_cannot_be_recreated_the_old_one_comes_back_until_it_can(site: Site, where: Any) -> None:
    old = site.engine.run("web", env=["URL=zero"], labels=PROD)
    fault = site.engine.faults.status(500, "no room", lambda method, path: where(method, path) and old not in path)
    if where is is_stop:
        fault.clear()
        fault = site.engine.faults.status(500, "no room", where)
    await site.start(RECREATE)
    await wait_for(lambda: site.status().failures >= 2)
    assert "recreate skep.envfile: container web: not recreated; the old one is as it was: " in site.status().error
    assert "no room" in site.status().error
    assert site.status().pending
    assert (site.names(), site.named("web").id, site.named("web").status) == (["web"], old, "running")
    fault.clear()
    await site.done()
    assert (site.names(), site.env("web")["URL"]) == (["web"], "one")


async def test_who_may_create_containers_may_not_have_the_values_by_a_label(site: Site) -> None:
    own = {"do": "recreate", "label": "env=prod"}
    await site.start(RECREATE, own)
    for labels in (PROD, {"env": "prod"}):
        body = json.dumps({"Image": "busybox:latest", "Labels": labels}).encode()
        with pytest.raises(DeniedError, match=r'and may not ask for them; .* ask = \["envfile==prod"\]') as caught:
            await site.agent.create_container(site.agent.request(body, "thief"), client="mallory")
        assert caught.value.status == 403
    assert site.names() == []


async def test_nobody_names_a_file_before_it_is_there(site: Site) -> None:
    await site.start(RECREATE, ask=["envfile==far"])
    body = json.dumps({"Image": "busybox:latest", "Labels": {"skep.envfile": "far, later"}}).encode()
    with pytest.raises(DeniedError, match=r"label skep.envfile: there is no file later here; there are prod"):
        await site.agent.create_container(site.agent.request(body, "early"), client="mallory")
    body = json.dumps({"Image": "busybox:latest", "Labels": {"skep.envfile": "far"}}).encode()
    await site.agent.create_container(site.agent.request(body, "allowed"), client="mallory")
    assert site.names() == ["allowed"]


@pytest.mark.parametrize("is_open", [False, True])
async def test_a_label_that_the_image_brings_gives_no_values_unless_the_settings_say_so(
    site: Site, caplog: pytest.LogCaptureFixture, is_open: bool
) -> None:
    for image in site.engine.state.images.values():
        image.config["Labels"] = PROD
    site.engine.run("thief")
    await site.start(RECREATE, ask=["envfile==prod"] if is_open else ())
    await site.done()
    assert ("SECRET" in site.env("thief")) is is_open
    assert ("container thief has its label from its image" in caplog.text) is not is_open


async def test_one_that_fails_does_not_keep_others_from_their_turn(site: Site) -> None:
    site.engine.run("aaa", labels=PROD, AutoRemove=True)
    site.engine.run("web", labels=PROD)
    await site.start(RECREATE)
    await wait_for(lambda: "container aaa cannot be recreated" in site.status().error)
    assert site.env("web")["URL"] == "one"


async def test_one_that_hangs_is_given_up_in_time(site: Site) -> None:
    old = site.engine.run("web", env=["URL=zero"], labels=PROD)
    with site.engine.faults.hang(is_stop):
        await site.start({**RECREATE, "timeout": 0.3})
        await wait_for(lambda: site.status().failures >= 1)
        assert "not recreated within 0.3 s; the old one is as it was" in site.status().error
        assert (site.names(), site.named("web").id) == (["web"], old)


async def test_a_plugin_that_refuses_the_end_keeps_the_old_one(site: Site) -> None:
    old = site.engine.run("web", labels=PROD)
    site.world.refuses = True
    await site.start(RECREATE)
    await wait_for(lambda: site.status().failures >= 1)
    assert "not now" in site.status().error
    assert (site.names(), site.named("web").id) == (["web"], old)


async def test_one_that_is_not_running_is_recreated_and_does_not_run(site: Site) -> None:
    site.engine.create("idle", labels=PROD)
    await site.start(RECREATE)
    await site.done()
    assert (site.env("idle")["URL"], site.named("idle").status) == ("one", "created")


@pytest.mark.parametrize("running", [True, False])
async def test_what_a_killed_agent_left_is_taken_up(site: Site, running: bool) -> None:
    old = site.engine.create("web", labels=PROD)
    labels = {**PROD, "skep.envfile.replaces": f"{old}:running"}
    new = site.engine.run("new", env=["URL=one", "SECRET=s3cret"], labels=labels)
    if not running:
        site.engine.stop_container(new)
    site.engine.rename(old, f"web-skep-{old[:8]}")
    site.engine.rename(new, "web")
    await site.start(RECREATE)
    await site.done()
    assert (site.names(), site.env("web")["URL"], site.named("web").status) == (["web"], "one", "running")
    assert (site.named("web").id == new) is running


@pytest.mark.parametrize("same", [True, False])
async def test_what_was_written_but_not_acted_upon_is_done_at_the_next_start(site: Site, same: bool) -> None:
    site.engine.run("web", labels=PROD)
    await site.start()  # without actions; beside it one that is killed between writing and acting
    file = {"path": str(site.file), "sources": [{"lookup": "made"}], "on_change": [SIGNAL]}
    files = msgspec.convert({"files": {"prod": file}}, EnvFileSettings).files
    killed = Actions(site.agent, logging.getLogger(), files, state=site.state, values=lambda _: None)
    await killed.expect(Change("prod", str(site.file), added=("URL",)), site.file.read_bytes() if same else b"A=1")
    await site.start(SIGNAL)
    await wait_for(lambda: json.loads(site.journal.read_text()) == {})
    assert told(site, "kill") == (["web"] if same else [])


async def test_what_was_done_before_the_kill_is_not_done_again(site: Site) -> None:
    web = site.engine.run("web", labels=PROD)
    site.engine.run("zoo", labels=PROD)
    await site.start()
    digest = hashlib.sha256(site.file.read_bytes()).hexdigest()
    done = [f"signal HUP to skep.envfile {web}"]
    site.journal.write_text(json.dumps({"prod": {"digest": digest, "done": done}}))
    await site.start(SIGNAL)
    await wait_for(lambda: json.loads(site.journal.read_text()) == {})
    assert told(site, "kill") == ["zoo"]


async def test_changes_that_come_while_actions_run_are_done_together(site: Site) -> None:
    site.engine.run("web", labels=PROD)
    with site.engine.faults.hang(lambda method, path: path.endswith("/kill")) as fault:
        await site.start({**SIGNAL, "timeout": 20})
        await wait_for(lambda: fault.hits == 1)
        for value in "abcde":
            await site.change(URL=value)
        assert fault.hits == 1
    await site.done()
    assert told(site, "kill") == ["web", "web"]  # the one that hung, and one for all that came since
    assert site.status().failures == 0


def command(*argv: str, **more: Any) -> dict[str, Any]:
    return {"do": "command", "command": ["/bin/sh", "-c", *argv], **more}


async def test_a_command_runs_without_shell_and_with_little_around_it(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "out"
    await site.start(
        {"do": "command", "command": ["/usr/bin/env", "-S", "sh", "-c", f"env > {out}; echo $HOME '$(id)'"]}
    )
    await site.done()
    env = dict(line.split("=", 1) for line in out.read_text().splitlines())
    assert set(env) - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LANG", "SKEP_ENVFILE", "SKEP_ENVFILE_PATH"}
    assert (env["SKEP_ENVFILE"], env["SKEP_ENVFILE_PATH"], env["PWD"]) == ("prod", str(site.file), "/")


async def test_what_a_command_says_is_told_without_secrets_and_within_bounds(site: Site) -> None:
    await site.start(command("yes x | head -c 200000; echo token s3cret; exit 7"))
    await wait_for(lambda: site.status().failures >= 1)
    error = site.status().error
    assert error.startswith("command /bin/sh: exit status 7: …")
    assert error.endswith("token ********")
    assert len(error) < 2100


async def test_secrets_are_blotted_out_whatever_is_in_them_and_wherever_the_output_is_cut(site: Site) -> None:
    long = "".join(f"{number:06}" for number in range(10_000))
    site.world.values = {"SECRET": f"tab\there {long}"}
    await site.start(command(f"cat {site.file} {site.file}; exit 7"))
    await wait_for(lambda: site.status().failures >= 1)
    assert "exit status 7" in site.status().error
    assert "********" in site.status().error
    assert not re.search(r"\d{6}|there|tab", site.status().error)


async def test_a_command_that_hangs_is_ended_with_what_it_started(site: Site, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    await site.start(command(f"sleep 1000 & echo $! > {pid}; wait", timeout=0.3))
    await wait_for(lambda: site.status().failures >= 1)
    assert "not done within 0.3 s" in site.status().error
    await wait_for(lambda: _state(int(pid.read_text())) in "Z-")


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "-"


async def test_a_command_that_is_not_there_is_told_and_what_follows_waits(site: Site) -> None:
    site.engine.run("web", labels=PROD)
    await site.start({"do": "command", "command": ["/nowhere/program"]}, SIGNAL)
    await wait_for(lambda: site.status().failures >= 2)
    assert site.status().error == "command /nowhere/program: cannot run: No such file or directory"
    assert told(site, "kill") == []


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"do": "signal"}, "signal: expected one"),
        ({"do": "restart", "signal": "HUP"}, "signal: expected none"),
        ({"do": "signal", "signal": "hang up"}, "expected a name or a number"),
        ({"do": "command", "command": ["systemctl"]}, "an absolute path"),
        ({"do": "command", "command": ["/bin/a"], "label": "x"}, "no label"),
        ({"do": "command", "command": ["/bin/a", "b\0"]}, "without NUL"),
        ({"do": "restart", "label": "=prod"}, "expected a key, or key=value"),
        ({"do": "reboot"}, "reboot"),
    ],
)
def test_an_action_that_is_none_is_refused(action: dict[str, Any], expected: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=expected):
        msgspec.convert(action, ActionSettings)
