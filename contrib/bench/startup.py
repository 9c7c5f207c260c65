"""How long `skep --version` takes, beside an interpreter that does nothing: what every command costs before it begins.

python -m contrib.bench.startup [--runs 20]
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from contrib.bench.goals import Measured

GOAL = 150.0


def median(argv: list[str], runs: int) -> float:
    """The median of the run times of a command, in milliseconds; one run before that warms the caches."""
    times = []
    for _ in range(runs + 1):
        started = time.perf_counter()
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[1:])


def measure(runs: int = 20) -> Iterator[Measured]:
    """Time the installed command."""
    skep = str(Path(sys.executable).with_name("skep"))
    yield Measured("python -c pass", median([sys.executable, "-c", "pass"], runs), "ms")
    yield Measured("skep --version", median([skep, "--version"], runs), "ms", GOAL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    for measured in measure(parser.parse_args().runs):
        print(measured)
