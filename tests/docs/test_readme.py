"""The README's commands do what it says, on real engines, pasted in its order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrib.lab import Host
from contrib.lab.fixtures import require_engines
from tests.docs.readme import README, ROOT, Done, answers, clean_environ, run, sections, session

COMMANDS = sections(README.read_text())
CLUSTER = ("One Docker API over many hosts", "nginx before the whole cluster")
REFUSED = "docker run -d -e constraint:model==quantum redis"

NOT_PASTED = {
    "make run": "runs until Ctrl-C: test_make_run",
    "make aws-demo                                           # in one terminal": "runs until Ctrl-C: test_readme_aws.py",
    "make test": "this is part of it",
    "make packages": "asks Debian's archive; require_engines knows whether all is there",
    ". .venv/bin/activate": "these tests may run in another environment; its commands come first here",
    "skep run -c config/host-agent.toml      # in one terminal": "runs on, on /var/run/docker.sock: test_the_agent_of_one_host",
    "skep events": "runs on: tests/agent/cli/test_cli_running.py follows it",
    "skep plugin new hello": "tests/contrib/template/test_template_new.py",
    "pip install -e ./hello": "tests/contrib/template/test_template_new.py",
    "pytest hello": "tests/contrib/template/test_template_new.py",
}
"""What a test cannot paste as it is, and why, or where else it is run."""


def pasted(*titles: str) -> list[str]:
    return [command for title in titles for command in COMMANDS[title] if command not in NOT_PASTED]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: sockets' paths are bounded."""
    with tempfile.TemporaryDirectory(prefix="skep-readme-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def test_each_command_is_run_or_has_its_reason() -> None:
    everything = [command for commands in COMMANDS.values() for command in commands]
    assert set(NOT_PASTED) <= set(everything), "a reason for a command that is not in the README"
    tested = pasted(*CLUSTER, "The agent of one host", "AWS")
    assert [command for command in everything if command not in NOT_PASTED] == tested


@pytest.mark.engine
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("free_places")
def test_the_cluster_and_nginx_before_it(folder: Path) -> None:
    require_engines()
    environ = clean_environ(XDG_RUNTIME_DIR=f"{folder}/run", SKEP_LAB_DATA=f"{folder}/data")
    (folder / "run").mkdir()
    (folder / "data").mkdir()
    commands = pasted(*CLUSTER)
    try:
        done = run(commands, environ, folder, fails=REFUSED, seconds=200)
    finally:
        down = [sys.executable, "-m", "contrib.lab", "down"]
        subprocess.run(down, cwd=ROOT, env=environ, capture_output=True, timeout=60, check=False)
    assert [each.command for each in done] == commands, (
        f"it ended behind {done[-1]}\n{(folder / 'session.log').read_text()}\n{(folder / 'background.log').read_text()}"
    )
    for command, words in SAID:
        output = next(each.output for each in done if each.command.startswith(command))
        assert re.search(words, output, re.MULTILINE), f"{command}\n{output}"
    for command, output in SHOWN.items():
        (real,) = [each.output for each in done if each.command == command]
        assert output.strip() in real, f"{command}: the README shows another answer\n{real}"
    assert len(SHOWN) == 4
    assert counted(done) == ["1", "1"]
    assert not list((folder / "run" / "skep-lab").glob("*")), "the lab is still up"


SAID = [
    ("contrib/lab/lab up", r"^backend1 .* up .*model=high-memory"),
    ("skep health", r"^healthy: 4 of 4 nodes$"),
    ("docker info", r"^ Nodes: 4$"),
    ("docker ps", r"backend1/redis,backend1/redis-counter/redis"),
    ("docker ps", r"backend1/redis-counter$"),
    ("docker ps", r"backend2/postgres,backend2/postgres-counter/postgres"),
    ("docker ps", r"10\.\d+\.0\.14:\d+->80/tcp +backend2/postgres-counter$"),
    (REFUSED, r'backend2: constraint model==quantum: its label model is "large-disk"'),
    ("skep explain -- -e constraint:public==no", r"^frontend +refused .*its label public is \"yes\""),
    ("skep explain -- -e constraint:public==no", r"^it would go to swarm-master$"),
    (
        "skep decisions",
        r"^[0-9a-f]{8} .* redis +redis +backend1 +created +constraint:public!=yes constraint:model==high-memory$",
    ),
    ("skep decisions show redis", r"^backend1 +chosen "),
    ("skep decisions replay", r"^the same answer: backend1$"),
    ("skep nodes", r"^backend1 +healthy +2 \(2 up\)"),
    ("skep nginx status", r"^redis-counter\.docker  backend1/redis-counter"),
]
"""What commands print, as expressions."""


SHOWN = answers(README.read_text(), *CLUSTER)
"""What the README shows of commands' answers."""


def counted(done: list[Done]) -> list[str]:
    """What the counters answered through nginx."""
    return [
        re.sub(r"^\d{4}-.*\n?|\s", "", each.output, flags=re.MULTILINE)
        for each in done
        if each.command.startswith("curl --retry")
    ]


@pytest.mark.usefixtures("free_places")
def test_make_run(folder: Path) -> None:
    """It says three commands, they work, and Ctrl-C ends it without a word of complaint from make."""
    log = folder / "log"
    make = ["make", "-o", "setup", "run", f"BIN={Path(sys.executable).parent}"]
    with log.open("w") as out, session(make, clean_environ(DOCKER_HOST=f"unix://{folder}/none.sock"), out) as running:
        end = time.monotonic() + 30
        while len(said := re.findall(r"^  (\S.*)$", log.read_text(), re.MULTILINE)) < 3:
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        info, start, nodes = run(said, clean_environ(), folder)
        os.killpg(running.pid, signal.SIGINT)
        running.wait(20)
    assert " Nodes: 4" in info.output
    assert re.search("^[0-9a-f]{64}$", start.output, re.MULTILINE)
    assert re.search(r"^frontend +healthy +1 \(1 up\)", nodes.output, re.MULTILINE)
    assert nodes.code == 0
    assert "***" not in log.read_text()


@pytest.mark.engine
@pytest.mark.usefixtures("free_places")
def test_the_agent_of_one_host(engine: Host, folder: Path) -> None:
    agent = f"skep run -c config/host-agent.toml --set 'cluster.engines=[\"{engine.url}\"]' &"
    commands = [agent, "skep health --nodes 1 --wait 20s", *pasted("The agent of one host"), "kill $(jobs -p)"]
    done = run(commands, clean_environ(), folder)
    assert [each.command for each in done] == commands, done[-1]
    outputs = {each.command.split(" #")[0].strip(): each.output for each in done}
    assert "ID" in outputs["skep ps"]
    assert re.search("^health +skep .* running", outputs["skep plugins"], re.MULTILINE)
    assert 'skep_node_healthy{node="engine"} 1' in outputs[commands[-2]]


@pytest.mark.engine
def test_in_your_own_program(engine: Host) -> None:
    engine.sync.docker("run", "-d", "--name", "web", "--stop-signal", "KILL", "busybox", "sleep", "60")
    found = re.search(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    program = found[1].replace("unix:///var/run/docker.sock", engine.url)
    assert engine.url in program
    command = [sys.executable, "-u", "-c", program]
    with session(command, clean_environ(), subprocess.PIPE) as running:
        assert running.stdout
        assert running.stdout.readline() == b"engine web running\n"
        engine.sync.docker("kill", "web")
        assert b"ContainerDied(node=<Node engine healthy>" in running.stdout.readline()
