"""`skep decisions`: what `docker create` through the agent left behind, in the words of the command line."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from skep.testing import EmbeddedEngine

PLUGINS = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist", "spread")


@pytest.fixture
async def docker(skep: Any, tmp_path: Path) -> Any:
    """Runs docker against an agent over two engines."""
    async with EmbeddedEngine("one", labels={"disk": "ssd"}) as one, EmbeddedEngine("two") as two:
        config = tmp_path / "skep.toml"
        tables = "".join(f"[plugins.{name}]\n" for name in PLUGINS)
        api = f'[plugins.docker_api]\nlisten = ["unix://{tmp_path}/docker.sock"]\n'
        config.write_text(f"[cluster]\nengines = {json.dumps([one.url, two.url])}\n{tables}{api}")
        running = await skep.start("run", "-c", str(config), "--set", f'http.listen=["unix://{tmp_path}/skep.sock"]')
        await running.until("skep is up")

        async def docker(*arguments: str, code: int = 0) -> str:
            found: str = await skep.run("docker", "-H", f"unix://{tmp_path}/docker.sock", *arguments, code=code)
            return found.strip()

        yield docker


async def test_a_decision_is_listed_shown_and_made_once_more(skep: Any, docker: Any, tmp_path: Path) -> None:
    id_ = await docker("create", "--name", "web", "-e", "constraint:disk==ssd", "-e", "PASSWORD=hunter2", "busybox")
    (row,) = json.loads(await skep("decisions", "--json"))
    assert (row["name"], row["chosen"], row["outcome"], row["container"]) == ("web", "one", "created", id_)
    assert row["entries"] == ["constraint:disk==ssd"]
    assert re.search(
        rf"^{row['id']} .* web +busybox +one +created +constraint:disk==ssd$", await skep("decisions"), re.M
    )
    shown = await skep("decisions", "show", row["id"][:6])
    assert re.search(r"^two +refused +constraint disk==ssd: it has no label disk$", shown, re.M)
    assert re.search(r"^one +chosen ", shown, re.M)
    assert f"container {id_[:12]} created in" in shown
    assert await skep("decisions", "show", "web") == shown
    await docker("rm", "web")
    file = tmp_path / "decision.json"
    file.write_text(await skep("decisions", "export", row["id"]))
    assert await skep("decisions", "replay", str(file)) == "the same answer: one\n"
    everything = file.read_text() + shown + await skep("decisions", "show", "--json", row["id"])
    assert "hunter2" not in everything
    changed = file.read_text().replace('"ssd"', '"hdd"')
    file.write_text(changed)
    told = await skep("decisions", "replay", str(file), code=1)
    assert "chosen: one then, no node now" in told


async def test_a_failing_create_names_its_decision(skep: Any, docker: Any) -> None:
    text = await docker("create", "--name", "lost", "-e", "constraint:disk==tape", "busybox", code=1)
    found = re.search(r"skep decisions show ([0-9a-f]{8})", text)
    assert found, text
    shown = await skep("decisions", "show", found[1])
    assert re.search(r'^one +refused +constraint disk==tape: its label disk is "ssd"$', shown, re.M)
    await docker("create", "--name", "kept", "busybox")
    names = [[row["name"] for row in json.loads(await skep("decisions", "--json", *flags))] for flags in (
        (), ("--failed",), ("--name", "kept"), ("--node", "two"), ("--node", "one"))]  # fmt: skip
    assert names[:3] == [["kept", "lost"], ["lost"], ["kept"]]
    assert sorted(names[3] + names[4]) == ["kept"]
    assert "no decision is kept" in await skep("decisions", "show", "00", code=1)
    assert "is no id" in await skep("decisions", "show", "../nodes", code=2)


async def test_a_shell_completes_ids_and_nodes(skep: Any, docker: Any) -> None:
    await docker("create", "--name", "web", "busybox")
    (row,) = json.loads(await skep("decisions", "--json"))
    skep.environ |= {"_SKEP_COMPLETE": "bash_complete", "COMP_WORDS": "skep decisions show ", "COMP_CWORD": "3"}
    assert await skep.run(str(Path(sys.executable).with_name("skep"))) == f"plain,{row['id']}\n"
    skep.environ |= {"COMP_WORDS": "skep decisions --node t", "COMP_CWORD": "3"}
    assert await skep.run(str(Path(sys.executable).with_name("skep"))) == "plain,two\n"


async def test_explain_shows_every_strategy_and_all_that_is_against_a_node(skep: Any, docker: Any) -> None:
    await docker("create", "--name", "web", "-p", "80:80", "-e", "constraint:disk==ssd", "busybox")
    text = await skep("explain", "--", "-p", "80:80", "-e", "constraint:disk==tape", "busybox", code=1)
    assert re.search(r"^one +refused +port 80/tcp: .*; constraint disk==tape: ", text, re.M)
    text = await skep("explain", "--", "-e", "constraint:disk==~tape", "busybox")
    assert re.search(r"^NODE +VERDICT +SPREAD +WHY$", text, re.M)
    assert text.endswith("it would go to two; given up were the wishes disk==~tape\n")
