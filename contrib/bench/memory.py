"""What an idle agent costs: its resident memory and its share of a CPU, watching an engine with many containers.

    python -m contrib.bench.memory [--containers 100] [--seconds 10] [--real]
    python -m contrib.bench.memory --nodes 1000 [--containers 30]

The agent is a process of its own, the engine another: an embedded one, or with --real a Docker Engine of the lab.
`skep run` here has the plugins of a host agent, `skep manage` those of a manager. With --nodes: what each container of a large cluster
costs its manager, see `contrib.bench.scale`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO

from contrib.bench import scale
from contrib.bench.goals import Measured
from contrib.lab import Lab

GOAL = 50.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_RUN = """\
[cluster]
engines = ["{engine}"]
[plugins.health]
[plugins.constraint]
[plugins.affinity]
[plugins.spread]
"""


def measure(containers: int = 100, seconds: float = 10, *, real: bool = False) -> Iterator[Measured]:
    """Measure both commands on one engine."""
    skep = str(Path(sys.executable).with_name("skep"))
    kind = "a real engine" if real else "an engine"
    with (real_engine if real else embedded_engine)(containers) as engine, tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "skep.toml"
        settings.write_text(_RUN.format(engine=engine))
        endpoint = f"--host=unix://{folder}/docker.sock"
        commands = {
            "skep run": [skep, "run", "--config", str(settings)],
            "skep manage": [
                skep,
                "manage",
                endpoint,
                f"--control=unix://{folder}/skep.sock",
                discovery(engine, folder),
            ],
        }
        for name, command in commands.items():
            with agent(command) as pid:
                settle(pid)
                before, started = cpu_seconds(pid), time.monotonic()
                time.sleep(seconds)
                share = 100 * (cpu_seconds(pid) - before) / (time.monotonic() - started)
                what = f"{name}, idle, {kind} with {containers} containers"
                yield Measured(f"{what}: resident", resident(pid), "MB", GOAL)
                yield Measured(f"{what}: CPU", share, "%")


def discovery(engine: str, folder: str) -> str:
    """What `skep manage` finds the engine by."""
    listing = Path(folder) / "engines"
    listing.write_text(engine.removeprefix("tcp://") + "\n")
    return f"file://{listing}"


@contextlib.contextmanager
def embedded_engine(containers: int) -> Iterator[str]:
    """The address of an engine in another process."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs, containers))
    process.start()
    theirs.close()
    try:
        yield str(ours.recv())
    finally:
        ours.close()
        process.join(10)
        process.kill()


def _serve(pipe: Connection, containers: int) -> None:
    from skep.testing import EmbeddedEngine

    async def serve() -> None:
        engine = EmbeddedEngine("bench", images=["busybox"])
        await engine.start("tcp://127.0.0.1:0")
        for number in range(containers):
            engine.run(f"c{number}")
        pipe.send(engine.url)
        with contextlib.suppress(EOFError):
            await asyncio.to_thread(pipe.recv)
        await engine.stop()

    asyncio.run(serve())


@contextlib.contextmanager
def real_engine(containers: int) -> Iterator[str]:
    """The address of a Docker Engine in the lab."""
    with Lab(["bench"]) as lab:
        host = lab["bench"].sync
        nap = ("--network", "none", "--stop-signal", "KILL", "busybox", "sleep", "100000")
        for number in range(containers):
            host.docker("run", "-d", "--name", f"c{number}", *nap)
        yield host.url


@contextlib.contextmanager
def agent(command: list[str], log: IO[str] | None = None) -> Iterator[int]:
    """The pid of an agent that is up. `log`: where it writes what it has to tell, if not here."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout
        first = process.stdout.readline()
        if "skep is up" not in first:
            raise SystemExit(f"{' '.join(command)} did not come up: {first}")
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def settle(pid: int) -> None:
    """Wait until the process is idle: under 5 % of a CPU for a second."""
    for _ in range(30):
        before = cpu_seconds(pid)
        time.sleep(1)
        if cpu_seconds(pid) - before < 0.05:
            return


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used: user and system, fields 14 and 15 of proc(5) stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident(pid: int) -> float:
    """Its resident memory in MB (10^6 bytes)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--containers", type=int, default=None)
    parser.add_argument("--nodes", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--real", action="store_true", help="take a real Docker Engine; needs root")
    options = parser.parse_args()
    if options.nodes:
        found = scale.measure(options.nodes, options.containers or 30)
    else:
        found = measure(options.containers or 100, options.seconds, real=options.real)
    for measured in found:
        print(measured, flush=True)
