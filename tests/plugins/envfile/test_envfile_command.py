"""`skep envfile`, and the HTTP routes below it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from skep import Agent, AgentClient, load_settings
from skep.testing import wait_for

LOOKUP = """
import asyncio, json, pathlib
import skep

class ThingsPlugin(skep.Plugin):
    name = "things"

    def lookups(self):
        return {"things": skep.Lookup(resolve=self.resolve, help="Things.", properties={"Name": "Its name."})}

    async def resolve(self, properties):
        file = pathlib.Path(__file__).with_name("things.json")
        found = json.loads(await asyncio.to_thread(file.read_text))
        if properties["Name"] not in found:
            raise skep.NotFoundError(f"there is no thing {properties['Name']}")
        return skep.Values(found[properties["Name"]], secret={"Password"})
"""
SETTINGS = """
[http]
listen = ["unix://{0}/skep.sock"]
[plugins.things]
path = "things.py"
[plugins.envfile]
state = "{0}/state.json"
[plugins.envfile.files.prod]
path = "{0}/prod.env"
sources = [{{ lookup = "things", properties = {{ Name = "prod" }} }}]
[plugins.envfile.files.gone]
path = "{0}/gone.env"
sources = [{{ lookup = "things", properties = {{ Name = "gone" }} }}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "things.py").write_text(LOOKUP)
    (tmp_path / "skep.toml").write_text(SETTINGS.format(tmp_path))
    (tmp_path / "things.json").write_text('{"prod": {"Url": "http://x", "Password": "hush"}}')
    return tmp_path


async def skep(folder: Path, *arguments: str, **environ: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the command, as a program of its own."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("skep"), *arguments, stdout=pipe, stderr=pipe,
        env={**os.environ, "SKEP_CONFIG": f"{folder}/skep.toml", "SKEP_AGENT": f"unix://{folder}/skep.sock", **environ},
    )  # fmt: skip
    printed, complaint = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode(), complaint.decode()


async def test_render_prints_the_file_and_masks_secrets_unless_told(folder: Path) -> None:
    status, printed, complaint = await skep(folder, "envfile", "render", "prod")
    assert (status, printed, complaint) == (0, "Password=********\nUrl=http://x\n", "")
    status, printed, _ = await skep(folder, "envfile", "render", "prod", "--show-secrets")
    assert (status, printed.splitlines()[1:]) == (0, ["Password=hush", "Url=http://x"])
    assert sorted(each.name for each in folder.glob("*.env")) == []
    status, printed, complaint = await skep(folder, "envfile", "render", "gone")
    assert (status, printed) == (1, "")
    assert "things: there is no thing gone" in complaint
    _, _, complaint = await skep(folder, "envfile", "render", "other")
    assert "there is no file other; there are gone, prod" in complaint


async def test_diff_names_what_would_change_and_exits_with_1(folder: Path) -> None:
    status, printed, _ = await skep(folder, "envfile", "diff", "prod")
    assert (status, printed) == (1, f"prod: {folder}/prod.env is not there\n  + Password\n  + Url\n")
    _, rendered, _ = await skep(folder, "envfile", "render", "prod", "--show-secrets")
    (folder / "prod.env").write_text(rendered)
    (folder / "prod.env").chmod(0o600)
    assert await skep(folder, "envfile", "diff", "prod") == (0, f"prod: {folder}/prod.env is true\n", "")
    (folder / "prod.env").write_text(rendered.replace("hush", "old").replace("http://x", "http://y") + "Old=1\n")
    status, printed, _ = await skep(folder, "envfile", "diff", "prod", "--values")
    lines = [
        "  - Old: from ********",
        "  ~ Password: from ********, to ********",
        "  ~ Url: from http://y, to http://x",
    ]
    assert (status, printed.splitlines()[1:]) == (1, lines)
    status, printed, _ = await skep(folder, "envfile", "diff", "--json")
    rows = {row["name"]: row for row in json.loads(printed)}
    assert status == 2
    assert rows["gone"]["error"] == "things: there is no thing gone"
    assert [each["what"] for each in rows["prod"]["variables"]] == ["removed", "changed", "changed"]


async def test_status_and_refresh_ask_a_running_agent(folder: Path) -> None:
    async with Agent(await asyncio.to_thread(load_settings, folder / "skep.toml")) as agent:
        keeper = agent.plugins.plugins["envfile"].keeper
        await wait_for(lambda: keeper.files["prod"].state == "good" and keeper.files["gone"].error)
        status, printed, _ = await skep(folder, "envfile", "status")
        assert status == 1
        header, prod, gone = printed.splitlines()
        assert header.split() == ["FILE", "STATE", "AGE", "NEXT", "VARIABLES", "PATH", "WHY"]
        assert prod.split()[:2] == ["prod", "good"]
        assert gone.split()[:3] == ["gone", "failing", "-"]
        assert gone.endswith("things: there is no thing gone")
        (folder / "things.json").write_text('{"prod": {"Url": "new"}, "gone": {"A": "1"}}')
        status, printed, _ = await skep(folder, "envfile", "refresh", "gone")
        assert (status, len(printed.splitlines())) == (0, 2)
        status, printed, _ = await skep(folder, "envfile", "refresh", "--json")
        assert (status, [each["state"] for each in json.loads(printed)]) == (0, ["good", "good"])
        assert "Url=new" in (folder / "prod.env").read_text()
        _, _, complaint = await skep(folder, "envfile", "refresh", "other")
        assert "there is no file other; there are gone, prod" in complaint
        client = AgentClient(f"unix://{folder}/skep.sock")
        metrics = (await asyncio.to_thread(client.read, "/metrics")).decode()
    assert 'skep_envfile_good{file="prod"} 1' in metrics
    assert 'skep_envfile_refreshes_total{file="gone",result="failure"} 1' in metrics
    assert "hush" not in metrics


async def test_an_agent_without_the_plugin_is_told_from_none(folder: Path) -> None:
    _, _, complaint = await skep(folder, "envfile", "status")
    assert "no agent answers" in complaint
    (folder / "plain.toml").write_text(f'[http]\nlisten = ["unix://{folder}/skep.sock"]\n')
    async with Agent(await asyncio.to_thread(load_settings, folder / "plain.toml")):
        _, _, complaint = await skep(folder, "envfile", "status")
    assert "has no plugin envfile; its settings would have a table [plugins.envfile]" in complaint


async def test_names_of_files_are_completed(folder: Path) -> None:
    words = {"COMP_WORDS": "skep envfile render p", "COMP_CWORD": "3", "_SKEP_COMPLETE": "bash_complete"}
    _, printed, _ = await skep(folder, **words)
    assert printed.split() == ["plain,prod"]


async def test_a_settings_file_is_needed_and_named(folder: Path) -> None:
    status, _, complaint = await skep(folder, "envfile", "render", "prod", SKEP_CONFIG="")
    assert status == 2
    assert "no settings file is named" in complaint
