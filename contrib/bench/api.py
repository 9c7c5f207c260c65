"""What the Docker API over many engines costs: calls, listings, events, streams, memory and idling, beside the goals and Swarm's manager.

    python -m contrib.bench.api [--nodes 100,1000] [--containers 30]

The engines are canned ones (`contrib.bench.canned`) in one process, `skep manage` is another, the client a third. "Added" is what a call
through the manager takes beyond the same call to an engine; both are measured in turns. On fewer free cores than three, wall time includes
waiting for a core: beside it stands the CPU time of the manager alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contrib.bench.api_client import Client, creates_at_once, plain_body
from contrib.bench.canned import digest, engines
from contrib.bench.goals import Measured
from contrib.bench.memory import agent, cpu_seconds, resident

CALLS, LISTINGS, EVENTS, CREATES = 300, 15, 300, 2000
_SETTLING, _IDLE = (
    20.0,
    30.0,
)  # seconds: until what the start took is over; in which an idle manager's CPU time is taken
_MEGABYTES = 512
_DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class Goals:
    """Of one size of fleet. Milliseconds, but `known` in seconds; creates per second with 16 clients."""

    added: tuple[float, float]
    creates: float | None = None
    known: float = 5.0


GOALS = {100: Goals((1.0, 5.0)), 1000: Goals((2.0, 10.0), creates=500)}

SWARM = {
    100: {"known": 0.7, "info p50": 1.2, "info p99": 4, "ps p50": 24, "ps p99": 40, "inspect p50": 1},
    1000: {
        "known": 9, "info p50": 23, "info p99": 74, "ps p50": 390, "ps p99": 1340, "inspect p50": 30, "create p50": 72, "create p99": 179,
        "event p50": 1.2, "event p99": 1.9, "memory": 800, "creates": 1000 / 11,
    },
}  # fmt: skip
"""The original in Go on two such cores, with simulated engines of 30 containers: milliseconds, but `known` in seconds and memory in MB.

A create is with its start, one after the other; "creates" are milliseconds for each, with 32 clients.
"""


class Bench:
    """One manager of such a fleet, and what it is asked."""

    def __init__(self, nodes: int, containers: int, urls: list[str], endpoint: str, pid: int) -> None:
        self.nodes, self.containers, self.urls, self.endpoint, self.pid = nodes, containers, urls, endpoint, pid
        self.goals = GOALS.get(nodes, GOALS[1000])
        self.client, self.direct = Client(endpoint), Client(urls[0])

    def row(self, what: str, value: float, unit: str, goal: float | None = None, swarm: str = "") -> Measured:
        """One line; `swarm` is what the original's figure is called."""
        theirs = SWARM.get(self.nodes, {}).get(swarm)
        beside = "" if theirs is None else f" (Swarm {theirs:g}, {theirs / value if value else 0:.1f} times)"
        return Measured(f"{self.nodes} x {self.containers}: {what}{beside}", value, unit, goal)

    def times(self, ask: Callable[[int], object], count: int) -> tuple[float, float, float]:
        """Of so many calls: p50 and p99 in ms, and the manager's CPU in ms for each."""
        ask(-1)
        taken, cpu = [], cpu_seconds(self.pid)
        for number in range(count):
            began = time.perf_counter()
            ask(number)
            taken.append(1000 * (time.perf_counter() - began))
        return *halves(taken), 1000 * (cpu_seconds(self.pid) - cpu) / count

    @staticmethod
    def in_turns(
        first: Callable[[int], object], second: Callable[[int], object], count: int
    ) -> list[tuple[float, float]]:
        """p50 and p99 in ms of either, asked by turns: whatever else the machine does meets both."""
        taken: tuple[list[float], list[float]] = ([], [])
        for number in range(count):
            for ask, times in zip((first, second), taken, strict=True):
                began = time.perf_counter()
                ask(number)
                times.append(1000 * (time.perf_counter() - began))
        return [halves(times[1:]) for times in taken]  # the first ones open connections

    def _get(self, target: str) -> bytes:
        status, body = self.client.call("GET", target)
        if status != 200:
            raise SystemExit(f"GET {target}: {status} {body[:200]!r}")
        return body

    def known(self, began: float) -> Iterator[Measured]:
        """Until all are known, from the start of the process."""
        while json.loads(self._get("/info"))["Containers"] != self.nodes * self.containers:
            time.sleep(0.05)
            if time.perf_counter() - began > _DEADLINE:
                raise SystemExit("the manager does not get to know all containers")
        taken = time.perf_counter() - began
        yield self.row("all known after", taken, "s", self.goals.known, "known")
        yield self.row("all known: CPU of the manager", cpu_seconds(self.pid), "s")

    def idle(self) -> Iterator[Measured]:
        """Memory and CPU when nothing happens."""
        time.sleep(_SETTLING)
        cpu, began = cpu_seconds(self.pid), time.perf_counter()
        time.sleep(_IDLE)
        share = 100 * (cpu_seconds(self.pid) - cpu) / (time.perf_counter() - began)
        yield self.row("idle: resident", resident(self.pid), "MB", 300, "memory")
        yield self.row("idle: CPU", share, "%", 5)

    def reads(self) -> Iterator[Measured]:
        """Answers from the state, and one that an engine is asked for."""
        p50, p99, cpu = self.times(lambda _: self._get("/info"), CALLS)
        yield self.row("info: p50", p50, "ms", swarm="info p50")
        yield self.row("info: p99", p99, "ms", 5, "info p99")
        yield self.row("info: CPU of the manager", cpu, "ms")
        size = len(self._get("/containers/json?all=1"))
        p50, p99, cpu = self.times(lambda _: self._get("/containers/json?all=1"), LISTINGS)
        yield self.row("ps of all: p50", p50, "ms", swarm="ps p50")
        yield self.row("ps of all: p99", p99, "ms", swarm="ps p99")
        yield self.row("ps of all: CPU of the manager", cpu, "ms")
        yield self.row("ps of all: for each MB of JSON (100 MB/s)", p50 / (size / 1e6), "ms", 10)
        name = json.loads(self._get("/containers/json?limit=1"))[0]["Names"][0][1:]
        p50, p99, cpu = self.times(lambda _: self._get(f"/containers/{name}/json"), CALLS)
        yield self.row("inspect by name: p50", p50, "ms", swarm="inspect p50")
        yield self.row("inspect by name: p99", p99, "ms")
        yield self.row("inspect by name: CPU of the manager", cpu, "ms")
        yield self.row("after listings: resident", resident(self.pid), "MB", 300)

    def creates(self) -> Iterator[Measured]:
        """One after the other, through the manager and at an engine, and by many clients at once."""
        body = plain_body()

        def create(client: Client, prefix: str) -> Callable[[int], None]:
            def ask(number: int) -> None:
                status, answer = client.call("POST", f"/v1.41/containers/create?name={prefix}{number}", body)
                if status != 201:
                    raise SystemExit(f"a create failed: {answer!r}")

            return ask

        direct, through = self.in_turns(create(self.direct, "d"), create(self.client, "c"), CALLS)
        yield self.row("create: p50", through[0], "ms", swarm="create p50")
        yield self.row("create: p99", through[1], "ms", swarm="create p99")
        yield self.row("create: added, p50", through[0] - direct[0], "ms", self.goals.added[0])
        yield self.row("create: added, p99", through[1] - direct[1], "ms", self.goals.added[1])
        creates_at_once(self.endpoint, 16, 200, "w")
        cpu = cpu_seconds(self.pid)
        taken, each = creates_at_once(self.endpoint, 16, CREATES, "m")
        cpu = 1000 * (cpu_seconds(self.pid) - cpu) / CREATES
        goal = 1000 / self.goals.creates if self.goals.creates else None
        yield self.row("16 clients: a create every", 1000 * taken / CREATES, "ms", goal, "creates")
        yield self.row("16 clients: p99", halves([1000 * one for one in each])[1], "ms")
        yield self.row("16 clients: CPU of the manager", cpu, "ms", goal)

    def events(self) -> Iterator[Measured]:
        """From the moment that an engine tells of a container, to a client of the manager's."""
        stream = Client(self.endpoint)
        lines, taken = stream.lines("/events?filters=" + '{"event":["start"]}'.replace('"', "%22")), []
        next(lines)
        for number in range(EVENTS):
            at = number * 7 % self.nodes
            engine = Client(self.urls[at])
            engine.call("POST", f"/containers/{digest('container', at, number % self.containers)}/start")
            event = json.loads(next(lines))
            taken.append((time.time_ns() - event["timeNano"]) / 1e6)
            engine.close()
        stream.close()
        p50, p99 = halves(taken)
        yield self.row("an engine's event at a client: p50", p50, "ms", swarm="event p50")
        yield self.row("an engine's event at a client: p99", p99, "ms", 5, "event p99")

    def streams(self) -> Iterator[Measured]:
        """A container's logs, and what it writes to an attached connection: the same client with and without the manager."""
        rows = json.loads(self._get("/containers/json?limit=1"))
        id_, at = rows[0]["Id"], int(rows[0]["Names"][0].split("/")[1].removeprefix("node"))
        for what, method, path in (
            ("logs", "GET", "logs?stdout=1&tail="),
            ("attach", "POST", "attach?stream=1&stdout=1&mb="),
        ):
            target = f"/containers/{id_}/{path}{_MEGABYTES}"
            speeds, cpu = [], cpu_seconds(self.pid)
            for url in (self.urls[at], self.endpoint):
                best = min(_drain(url, method, target) for _ in range(3))
                speeds.append(_MEGABYTES * 1.048576 / best)
            direct, through = speeds
            share = f"{what}: {direct:.0f} MB/s directly, {through:.0f} through: times as long"
            yield self.row(share, direct / through, "", 1 / 0.6)
            gigabytes = 3 * _MEGABYTES * 2**20 / 1e9
            yield self.row(f"{what}: CPU of the manager for each GB", (cpu_seconds(self.pid) - cpu) / gigabytes, "s")


def _drain(url: str, method: str, target: str) -> float:
    client, began = Client(url), time.perf_counter()
    total = client.drain(method, target)
    client.close()
    if total < _MEGABYTES * 2**20:
        raise SystemExit(f"lost bytes: {total}")
    return time.perf_counter() - began


def halves(values: list[float]) -> tuple[float, float]:
    """p50 and p99."""
    ordered = sorted(values)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


def measure(nodes: int = 100, containers: int = 30) -> Iterator[Measured]:
    """Measure one size of fleet."""
    with engines(nodes, containers) as urls, tempfile.TemporaryDirectory() as folder:
        listing, endpoint = Path(folder) / "engines", f"unix://{folder}/docker.sock"
        listing.write_text("".join(f"{url.removeprefix('tcp://')}\n" for url in urls))
        skep = str(Path(sys.executable).with_name("skep"))
        command = [skep, "manage", f"--host={endpoint}", f"--control=unix://{folder}/skep.sock", f"file://{listing}"]
        began = time.perf_counter()
        with Path(folder, "log").open("w") as log, agent(command, log) as pid:
            bench = Bench(nodes, containers, urls, endpoint, pid)
            yield from bench.known(began)
            yield from bench.idle()
            for part in (bench.reads, bench.creates, bench.events, bench.streams):
                yield from part()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="100,1000")
    parser.add_argument("--containers", type=int, default=30)
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for size in options.nodes.split(","):
        for measured in measure(int(size), options.containers):
            print(measured, flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")
