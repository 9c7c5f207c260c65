"""The lab's command line, as a person types it."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrib.lab import SyncLab
from contrib.lab.fixtures import require_engines

pytestmark = pytest.mark.engine
LAB = Path(__file__).parents[3] / "contrib/lab/lab"


def run(*arguments: str, status: int = 0) -> str:
    """What the command printed; on stderr when it is to fail."""
    done = subprocess.run([LAB, "--lab", "typed", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done
    return done.stderr if status else done.stdout


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the labs of these tests are; its name is short, since those of unix sockets have 107 bytes at most."""
    require_engines()
    with tempfile.TemporaryDirectory(prefix="skep-") as name:
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)
        run("down")


def test_a_day_in_the_lab() -> None:
    assert run("up", "one", "two", "--label", "one:disk=ssd").splitlines()[0].split() == [
        "NAME", "ADDRESS", "STATE", "LABELS",
    ]  # fmt: skip
    url = run("env", "one").strip().removeprefix("export DOCKER_HOST=")
    docker = ["docker", "--host", url, "run", "--rm", "busybox", "echo", "hi"]
    assert subprocess.check_output(docker, text=True) == "hi\n"
    run("freeze", "one")
    run("kill", "two")
    run("cut", "two")
    hosts = {host["name"]: host for host in json.loads(run("ls", "--json"))}
    assert {name: host["state"] for name, host in hosts.items()} == {"one": "frozen", "two": "dead, cut"}
    assert hosts["one"]["labels"] == {"disk": "ssd"}
    assert hosts["one"]["url"] == url
    assert run("exec", "two", "hostname") == "two\n"
    run("thaw", "one")
    run("heal", "two")
    run("restart", "one", "two")
    assert [line.split()[2] for line in run("ls").splitlines()[1:]] == ["up", "up"]
    run("images", "redis")
    docker = ["docker", "--host", url, "images", "--format", "{{.Repository}}"]
    assert sorted(subprocess.check_output(docker, text=True).split()) == ["busybox", "redis"]
    assert "no host 'three' in the lab 'typed', only one, two" in run("env", "three", status=1)
    assert "no image 'windows'; there are busybox, nginx," in run("images", "windows", status=1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            ["up", "one", "--label", "disk=ssd"],
            "--label disk=ssd: it must be NAME:KEY=VALUE, NAME one of one",
        ),
        (["up", "one", "--label", "two:disk=ssd"], "--label two:disk=ssd: it must be NAME:KEY=VALUE"),
        (["up", "one", "--label", "one:disk"], "--label one:disk: it must be NAME:KEY=VALUE"),
        (["up", "no/slash"], "'no/slash' is no name for a lab or host"),
        (["up", "one", "--image", "windows"], "no image 'windows'; there are busybox, nginx,"),
        (["ls"], "there is no lab in"),
        (["kill", "one"], "there is no lab in"),
        (["fetch-engine", "../..", "/nonexistent"], "'../..' is not the name of a Debian release"),
    ],
)
def test_a_mistake_is_named_and_makes_nothing(arguments: list[str], complaint: str, folder: Path) -> None:
    assert complaint in run(*arguments, status=1)
    assert list(folder.iterdir()) == []


def test_down_all_ends_every_lab(folder: Path) -> None:
    for name in ("one", "another"):
        SyncLab(name).up(["host"])
    run("down", "--all")
    assert list(folder.iterdir()) == []


def test_down_without_a_lab_is_fine() -> None:
    run("down")
