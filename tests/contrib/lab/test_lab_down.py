"""`down` leaves nothing behind: no process, namespace, mount, network device, control group or directory."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrib.lab import Lab, LabError, SyncLab
from contrib.lab.fixtures import require_engines

pytestmark = pytest.mark.engine
ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: those of unix sockets have 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="skep-") as name:
        yield Path(name)


@pytest.fixture
def lab(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncLab]:
    """A lab that keeps everything below the test's own folder, in its own subnet: any left-over is this test's."""
    require_engines()
    number = secrets.choice([number for number in range(100, 200) if f"skep{number}" not in devices()])
    monkeypatch.setenv("SKEP_LAB_SUBNET", f"10.{number}.0.0/16")
    (folder / "data").mkdir()
    monkeypatch.setenv("SKEP_LAB_DATA", str(folder / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    lab = SyncLab(f"gone-{secrets.token_hex(4)}")
    yield lab
    lab.down()


def left_overs(lab: SyncLab, folder: Path) -> dict[str, list[str]]:
    """What there is of a lab below `folder`, as the kernel sees it; empty lists when nothing is."""
    mark = str(folder).encode()
    processes = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes() + (entry / "mountinfo").read_bytes()
            except OSError:
                continue
            if mark in words:
                processes.append(entry.name)
    device = f"skep{os.environ['SKEP_LAB_SUBNET'].split('.')[1]}"
    return {
        "processes": processes,
        "devices": [name for name in devices() if name == device],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line],
        "control groups": [
            # not glob: other labs' groups vanish while it looks
            f"{parent}/{name}"
            for parent, names, _ in os.walk("/sys/fs/cgroup")
            for name in names
            if name.startswith(f"skep-lab-{lab.name}-")
        ],
        "files": [str(path) for path in folder.rglob("*") if path != folder / "data"],
    }


def devices() -> set[str]:
    """The names of this host's network devices."""
    listing = subprocess.run(["ip", "-j", "link"], capture_output=True, check=True).stdout
    return {link["ifname"] for link in json.loads(listing)}


NOTHING: dict[str, list[str]] = {
    "processes": [],
    "devices": [],
    "mounts": [],
    "control groups": [],
    "files": [],
}


def test_down_removes_everything_twice(lab: SyncLab, folder: Path) -> None:
    lab.up(["one", "two"], images=["busybox"])
    for host in lab.hosts.values():
        host.docker("run", "-d", "-p", "80:80", "-v", "/data", "busybox", "sleep", "1000")
    lab["two"].kill()
    found = left_overs(lab, folder)
    assert all(found[kind] for kind in found if kind != "mounts"), found
    started = time.monotonic()
    lab.down()
    assert time.monotonic() - started < 10
    assert left_overs(lab, folder) == NOTHING
    lab.down()
    with pytest.raises(LabError, match=r"there is no lab in .*; `lab up` makes one"):
        SyncLab(lab.name).state  # noqa: B018


@pytest.mark.parametrize("seconds", [0.15, 0.3, 0.5, 0.8, 1.5, 2.5])
def test_down_after_up_was_killed(lab: SyncLab, folder: Path, seconds: float) -> None:
    up = subprocess.Popen(
        [sys.executable, "-m", "contrib.lab", "--lab", lab.name, "up", "one", "two", "--image", "redis"],
        cwd=ROOT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        up.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(up.pid, signal.SIGKILL)
        up.wait()
    SyncLab(lab.name).down()
    assert left_overs(lab, folder) == NOTHING


@pytest.mark.parametrize("made", ["lab.json", "one/machine", "one/docker.sock"])
async def test_cancelled_start_leaves_nothing(lab: SyncLab, folder: Path, made: str) -> None:
    async def start() -> None:
        async with Lab(["one"], name=lab.name):
            raise AssertionError("it was to be cancelled")

    task = asyncio.create_task(start())
    async with asyncio.timeout(20):
        while not (lab.directory / made).exists():
            await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left_overs(lab, folder) == NOTHING


def test_down_after_hosts_lost_their_power(lab: SyncLab, folder: Path) -> None:
    lab.up(["one"])
    for machine in (lab["one"].machine, lab.switch):
        os.kill(machine.pid, signal.SIGKILL)
        machine.off()
    assert lab["one"].engine.state == "off"
    lab.down()
    assert left_overs(lab, folder) == NOTHING


def test_engine_that_does_not_start_shows_its_log(lab: SyncLab, folder: Path) -> None:
    dockerd = folder / "broken" / "usr/sbin/dockerd"
    dockerd.parent.mkdir(parents=True)
    dockerd.write_text("#!/bin/sh\necho 'the flux capacitor is empty' >&2\nexit 1\n")
    dockerd.chmod(0o755)
    with pytest.raises(LabError, match=r"(?s)engine of one: dockerd has ended.*the flux capacitor is empty"):
        lab.up(["one"], engine_dir=folder / "broken")
    dockerd.unlink()
    for made in (dockerd.parent, dockerd.parent.parent, folder / "broken"):
        made.rmdir()
    lab.down()
    assert left_overs(lab, folder) == NOTHING


def test_engine_of_another_directory_serves_its_host_only(lab: SyncLab, folder: Path) -> None:
    dockerd = folder / "other" / "usr/sbin/dockerd"
    dockerd.parent.mkdir(parents=True)
    dockerd.write_text('#!/bin/sh\necho "another generation" >&2\nexec /usr/sbin/dockerd "$@"\n')
    dockerd.chmod(0o755)
    lab.up(["old"])
    lab.up(["new"], engine_dir=folder / "other")
    assert "another generation" in lab["new"].engine.log.read_text()
    assert "another generation" not in lab["old"].engine.log.read_text()
    with pytest.raises(LabError, match="the host old was made with other labels, or another engine"):
        lab.up(["old"], {"old": {"new": "label"}})
