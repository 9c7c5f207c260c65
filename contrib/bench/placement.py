"""Placements per second on one core, by rule and by the cluster's size; nothing is sent to an engine.

    python -m contrib.bench.placement [--nodes 10,100,1000,5000] [--runs 5] [--seconds 0.15] [--json]

Every placement is decided and reserved, and ends the one that was made 64 placements before: so the state changes all the time, as in life.
In the rows "new ..." each placement asks for what nobody has asked before, so that no kept answer helps. Times are of this process'
CPU, so that others on the machine disturb little; p50 and p99 are of single placements, in microseconds. Each number is
the median of the runs.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from contrib.bench.cases import CASES, COLD, Case, impossible, series
from contrib.bench.clusters import make_agent, make_node, requests, scheduler
from contrib.bench.goals import Measured
from skep import Agent, PlacementError, PlacementRequest
from skep.cli.garbage import Collector
from skep.scheduler import Reservation, Scheduler

GOALS = {1000: 10_000, 5000: 2_000}
UNDER_WAY = 64
WARM, NEW, STAYING = 512, 100, 2000  # how many requests there are of one case
Request = tuple[bytes, str, PlacementRequest]
Decide = Callable[[Request], Reservation]


@dataclass(frozen=True, slots=True)
class Row:
    """One case on one size of cluster. `p50` and `p99` are microseconds."""

    case: str
    nodes: int
    rate: float
    p50: float
    p99: float


def timed(decide: Decide, asked: Sequence[Request], seconds: float, under_way: int) -> list[int]:
    """The nanoseconds of each placement: until time or requests are used up."""
    held: deque[Reservation] = deque()
    times: list[int] = []
    clock = time.process_time_ns
    end = clock() + int(seconds * 1e9)
    for request in asked:
        began = clock()
        with suppress(PlacementError):  # a refusal is a decision too
            held.append(decide(request))
        if len(held) > under_way:
            held.popleft().release()
        now = clock()
        times.append(now - began)
        if now > end:
            break
    for reservation in held:
        reservation.release()
    return times


def row(case: str, nodes: int, runs: Iterator[list[int]]) -> Row:
    """The medians of some runs."""
    rates, p50, p99 = [], [], []
    for times in runs:
        ordered = sorted(times)
        rates.append(1e9 * len(times) / sum(times))
        p50.append(ordered[len(times) // 2] / 1000)
        p99.append(ordered[min(len(times) - 1, len(times) * 99 // 100)] / 1000)
    return Row(case, nodes, *map(statistics.median, (rates, p50, p99)))


class Bench:
    """All rows of one cluster. Python's garbage collector should be set as `skep manage` does it, see `Collector`."""

    def __init__(self, nodes: int, runs: int, seconds: float) -> None:
        self.nodes, self.runs, self.seconds = nodes, runs, seconds
        self.under_way = min(UNDER_WAY, nodes)
        self.agent: Agent = make_agent(nodes)

    def rows(self) -> Iterator[Row]:
        """Measure every case."""
        for name, case in CASES.items():
            yield self.warm(name, case, self._hold(self.agent.scheduler))
        everything = CASES["all rules"]
        binpack = scheduler(self.agent.cluster.state, "binpack")
        yield self.warm("all rules, binpack", everything, self._hold(binpack))
        chance = scheduler(self.agent.cluster.state, "random")
        yield self.warm("all rules, random", everything, self._hold(chance))
        yield self.warm("nothing fits", impossible, self._hold(self.agent.scheduler))
        yield self.warm("all rules, explanations on", everything, self._record)
        yield self.warm("all rules, explained at once", everything, self._explain)
        yield self.warm("all rules, read from JSON", everything, self._read)
        yield self.staying("no rule, all stay", CASES["no rule"])
        yield self.staying("all rules, all stay", everything)
        for name, case in COLD.items():
            yield self.new(name, case)
        yield self.joining()

    def warm(self, name: str, case: Case, decide: Decide) -> Row:
        """A case whose values come again and again."""
        asked = requests(self.agent, series(case, WARM))
        timed(decide, asked, 10, self.under_way)
        runs = (
            timed(decide, list(itertools.islice(itertools.cycle(asked), 10**5)), self.seconds, self.under_way)
            for _ in range(self.runs)
        )
        return row(name, self.nodes, runs)

    def staying(self, name: str, case: Case) -> Row:
        """The cluster fills up; it is emptied between the runs."""
        asked = requests(self.agent, series(case, STAYING))
        decide = self._hold(self.agent.scheduler)
        timed(decide, asked[:WARM], 10, self.under_way)
        runs = (timed(decide, asked, 10 * self.seconds, STAYING) for _ in range(self.runs))
        return row(name, self.nodes, runs)

    def new(self, name: str, case: Case) -> Row:
        """A case whose values never come twice."""
        decide = self._hold(self.agent.scheduler)
        batches = [requests(self.agent, series(case, NEW, NEW * number)) for number in range(self.runs)]
        return row(name, self.nodes, (timed(decide, asked, self.seconds, self.under_way) for asked in batches))

    def joining(self) -> Row:
        """A node joins or leaves before each placement."""
        asked = requests(self.agent, series(CASES["all rules"], WARM))
        hold, state = self._hold(self.agent.scheduler), self.agent.cluster.state
        numbers = itertools.count()

        def decide(request: Request) -> Reservation:
            number = next(numbers)
            if number % 2:
                state.remove_node(f"node{10**6 + number - 1}")
            else:
                state.put_node(make_node(10**6 + number))
            return hold(request)

        return row(
            "all rules, nodes come and go",
            self.nodes,
            (timed(decide, asked, self.seconds, self.under_way) for _ in range(self.runs)),
        )

    def _hold(self, by: Scheduler) -> Decide:
        return lambda request: by.hold(request[2])

    def _read(self, request: Request) -> Reservation:
        return self.agent.scheduler.hold(self.agent.request(request[0], request[1]))

    def _record(self, request: Request) -> Reservation:
        """As a create does it: the decision is kept, with what it needs to be explained and replayed."""
        return self.agent.decisions.hold(request[2])[0]

    def _explain(self, request: Request) -> Reservation:
        reservation = self.agent.scheduler.hold(request[2])
        reservation.placement.explain()
        return reservation


def table(rows: Sequence[Row], sizes: Sequence[int]) -> Iterator[str]:
    """The rows as text: a line for each case, three columns for each size."""
    known = {(each.case, each.nodes): each for each in rows}
    yield "".join([f"{'':30}", *(f"{f'{size:,} nodes':>26}" for size in sizes)])
    yield "".join([f"{'':30}", *(f"{'per second':>12}{'p50':>6}{'p99':>8}" for _ in sizes)])
    for case in dict.fromkeys(each.case for each in rows):
        found = [known[case, size] for size in sizes]
        yield "".join([f"{case:30}", *(f"{each.rate:12,.0f}{each.p50:6,.0f}{each.p99:8,.0f}" for each in found)])


def peers(rows: Sequence[Row]) -> Iterator[str]:
    """The figures beside those of others, as far as the sizes allow it."""
    known = {(each.case, each.nodes): each.rate for each in rows}
    for size, goal in GOALS.items():
        if rate := known.get(("all rules", size)):
            yield f"all rules, {size:,} nodes: {rate / goal:.1f} times the goal of {goal:,}/s"
    if rate := known.get(("all rules, read from JSON", 1000)):
        yield f"Go original, 91 ms of CPU per create through 1,000 engines x 30: all rules, read and decided, {0.091 * rate:,.0f} times as fast"
    if rate := known.get(("all rules", 5000)):
        yield f"Kubernetes' gate at 5,000 nodes, 680 to 810 pods/s: all rules, {rate / 810:.1f} to {rate / 680:.1f} times as many"


def measure() -> Iterator[Measured]:
    """The rows that have a goal."""
    for nodes, goal in GOALS.items():
        with Collector():
            bench = Bench(nodes, 7, 0.3)
            found = bench.warm("all rules", CASES["all rules"], bench._hold(bench.agent.scheduler))
        yield Measured(f"placement by all rules, {nodes:,} nodes of 30 containers", 1e6 / found.rate, "µs", 1e6 / goal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", default="10,100,1000,5000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = [int(size) for size in options.nodes.split(",")]
    with Collector():
        rows = [row for size in sizes for row in Bench(size, options.runs, options.seconds).rows()]
    if options.json:
        print(json.dumps([asdict(each) for each in rows], indent=1))
        return
    for line in [*table(rows, sizes), "", *peers(rows)]:
        print(line)


if __name__ == "__main__":
    main()
