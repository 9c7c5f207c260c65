"""The lab's parts that need no engine."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from contrib.lab import fixtures, packages
from contrib.lab.errors import LabError, run
from contrib.lab.network import Plan, Subnet
from contrib.lab.processes import Process, children


def test_a_recycled_pid_is_not_touched() -> None:
    with subprocess.Popen(["sleep", "1000"]) as child:
        [(name, process)] = [pair for pair in children(os.getpid()) if pair[1].pid == child.pid]
        assert name == "sleep"
        another = Process(process.pid, process.started + 1)
        another.signal(signal.SIGKILL)
        assert another.state == ""
        assert another.wait(0)
        assert process.state == "S"
        assert not process.wait(0)
        process.signal(signal.SIGKILL)
        assert process.wait(5)


def test_record_of_a_process(tmp_path: Path) -> None:
    assert Process.recorded(tmp_path / "none") is None
    (tmp_path / "record").write_text("12 345\n")
    assert Process.recorded(tmp_path / "record") == Process(12, 345)


def test_no_two_hosts_share_an_address() -> None:
    plan = Plan(Subnet("10.200.0.0/16"))
    nets = [Subnet("10.200.0.0/24")]
    for number in range(1, Plan.MOST + 1):
        nets.append(Subnet(plan.bridge(number), strict=False))
        nets.append(Subnet(plan.pool(number).removeprefix("base=").partition(",")[0]))
        assert plan.address(number) in {str(address) for address in nets[0]}
    assert all(net.subnet_of(plan.subnet) for net in nets)
    assert not [(one, two) for i, one in enumerate(nets) for two in nets[:i] if one.overlaps(two)]


def test_missing_packages_are_named() -> None:
    programs = {"sh": "dash", "no-such-program": "one-package", "/nowhere/*/initdb": "another"}
    assert {"one-package", "another"} <= set(packages.missing(programs))
    assert "dash" not in packages.missing(programs)


@pytest.mark.parametrize("ci", ["true", ""])
def test_what_is_missing_skips_here_and_fails_in_ci(ci: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(packages, "ENGINES", {"no-such-program": "one-package"})
    outcome = pytest.fail.Exception if ci else pytest.skip.Exception
    with pytest.raises(outcome, match="one-package" if os.geteuid() == 0 else "root"):
        fixtures.require_engines()


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(LabError, match="sh -c echo oops >&2; exit 3: oops"):
        run("sh", "-c", "echo oops >&2; exit 3")
    with pytest.raises(LabError, match="sh -c exit 3: exit status 3"):
        run("sh", "-c", "exit 3")
    with pytest.raises(LabError, match="'no-such-program' is not installed"):
        run("no-such-program")
    with pytest.raises(LabError, match=r"still running after 0.1 s: sleep 9"):
        run("sleep", "9", seconds=0.1)


def test_another_release_comes_from_where_this_one_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = next(line for line in Path("/etc/os-release").read_text().splitlines() if "CODENAME" in line)
    codename = release.partition("=")[2]
    apt = tmp_path / "apt-get"
    apt.write_text(
        f"#!/bin/sh\necho {codename}-security main http://x.example/s/\necho {codename} main http://x.example/d/\n"
    )
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert packages._archive() == "http://x.example/d/"
    apt.write_text(f"#!/bin/sh\necho {codename} contrib http://x.example/d/\n")
    with pytest.raises(LabError, match=f"no source of Debian's {codename} main"):
        packages._archive()
