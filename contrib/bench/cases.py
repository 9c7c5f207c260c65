"""The requests whose placement is measured: each case is a series, as different from each other as a busy cluster's are."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

from contrib.bench.clusters import IMAGES, SERVICES, SIZES

__all__ = ["CASES", "COLD", "Body", "impossible", "series"]

Body = dict[str, Any]
Case = Callable[[random.Random, int], Body]


def _env(*entries: str) -> Body:
    return {"Env": ["MODE=production", *entries]}


def _published(rng: random.Random) -> Body:
    return {"PortBindings": {"80/tcp": [{"HostPort": str(8100 + rng.randrange(100))}]}}


def _sizes(rng: random.Random) -> Body:
    return {"Memory": rng.choice(SIZES), "NanoCpus": 10**8 * rng.randrange(1, 4)}


def _glob(rng: random.Random) -> str:
    return f"affinity:container!=*-{rng.choice(SERVICES[:5])}-1{rng.randrange(4)}"


def _image(rng: random.Random) -> str:
    return f"affinity:image=={rng.choice(IMAGES[:3])}*"


def _label(rng: random.Random) -> str:
    return f"affinity:version!=1.{rng.randrange(40)}0"


def _everything(rng: random.Random, number: int) -> Body:
    rules = ("constraint:disk==s*", f"constraint:node!=node{rng.randrange(10)}")
    return {
        **_env(*rules, _glob(rng), _image(rng), _label(rng)),
        "HostConfig": {**_published(rng), **_sizes(rng)},
        "Labels": {"com.docker.compose.service": rng.choice(SERVICES)},
    }


def _over_zones(rng: random.Random, number: int) -> Body:
    body = _everything(rng, number)
    return {**body, "Env": [*body["Env"], "spread:zone"]}


def impossible(rng: random.Random, number: int) -> Body:
    """What no node can have."""
    return _env("constraint:disk==s*", f"affinity:container==*-nowhere{rng.randrange(40)}-*")


CASES: dict[str, Case] = {
    "no rule": lambda rng, _: {},
    "a constraint": lambda rng, _: _env(f"constraint:rack==rack-*-{rng.randrange(3)}"),
    "a name glob affinity": lambda rng, _: _env(_glob(rng)),
    "an image affinity": lambda rng, _: _env(_image(rng)),
    "a label affinity": lambda rng, _: _env(_label(rng)),
    "a port": lambda rng, _: {"HostConfig": _published(rng)},
    "memory and CPUs": lambda rng, _: {"HostConfig": _sizes(rng)},
    "spread over zones": lambda rng, _: _env("spread:zone"),
    "all rules": _everything,
    "all rules, over zones": _over_zones,
}
"""What comes again and again: dozens of different values of each kind."""

COLD: dict[str, Case] = {
    "new name glob": lambda rng, n: _env(f"affinity:container!=*-web-{n}*x"),
    "new name": lambda rng, n: _env(f"affinity:container!=shop{n}"),
    "new regex": lambda rng, n: _env(f"affinity:container!=/-web-{n}[0-9]+x$/"),
    "new label glob": lambda rng, n: _env(f"affinity:version!=*.{n}*x"),
    "new image glob": lambda rng, n: _env(f"affinity:image!=*{n}*x"),
    "new constraint": lambda rng, n: _env(f"constraint:host!=*{n}x*"),
    "new size": lambda rng, n: {"HostConfig": {"Memory": SIZES[1] + 4096 * n, "NanoCpus": 10**8}},
}
"""What nobody asked before, each time: no kept answer helps."""


def series(case: Case, length: int, start: int = 0) -> list[Body]:
    """The first so many of a case's requests."""
    rng = random.Random(start)
    return [case(rng, number) for number in itertools.islice(_numbers(start), length)]


def _numbers(start: int) -> Iterator[int]:
    return itertools.count(100_000 + start)
