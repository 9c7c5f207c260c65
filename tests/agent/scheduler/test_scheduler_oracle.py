"""All placement plugins together against a plain reading of the rules, on clusters and requests made at random."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from skep import NodeStatus, PlacementError, Port
from skep.testing import PaperCluster

PLUGINS = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist", "spread")
PORTS = (80, 81, 82)
DISKS = ("ssd", "hdd", "")
TIERS = ("db", "web", "")
VALUES = ("ssd", "hdd", "s*", "*d", "/^h/", "/./", "*", "n1", "n2*", "c1", "c*", "web", "d*")
MEMORY = 1000


class World:
    """A cluster, as rows of plain data beside the real thing."""

    def __init__(self, rng: random.Random) -> None:
        self.paper = PaperCluster(settings={"plugins": {name: {} for name in PLUGINS}, "cluster": {"overcommit": 0.0}})
        self.nodes: dict[str, dict[str, Any]] = {}
        for number in range(rng.randint(0, 6)):
            disk, name = rng.choice(DISKS), f"n{number}"
            self.paper.node(
                name,
                memory=MEMORY,
                labels={"disk": disk} if disk else {},
                status=rng.choice([NodeStatus.HEALTHY] * 4 + [NodeStatus.PENDING]),
            )
            known = self.paper.state.get_node(name)
            assert known is not None
            self.nodes[name] = {"disk": disk, "healthy": known.node.is_healthy, "containers": []}
        for number in range(rng.randint(0, 15) if self.nodes else 0):
            row: dict[str, Any] = {
                "name": f"c{number}",
                "node": rng.choice(list(self.nodes)),
                "tier": rng.choice(TIERS),
                "port": rng.choice((None, *PORTS)),
                "memory": rng.choice((0, 100, 400)),
            }
            self.nodes[row["node"]]["containers"].append(row)
            self._put(row)

    def _put(self, row: dict[str, Any]) -> None:
        self.paper.container(
            row["name"],
            row["node"],
            labels={"tier": row["tier"]} if row["tier"] else {},
            ports=(Port(80, "tcp", row["port"]),) if row["port"] else (),
            memory=row["memory"],
        )


def make_request(rng: random.Random) -> dict[str, Any]:
    def some(kind: str, keys: tuple[str, ...]) -> list[tuple[str, str, str, bool, str]]:
        return [
            (kind, rng.choice(keys), rng.choice(("==", "!=")), rng.random() < 0.3, rng.choice(VALUES))
            for _ in range(rng.choice((0, 0, 1, 2)))
        ]

    return {
        "entries": some("constraint", ("node", "disk")) + some("affinity", ("container", "tier")),
        "port": rng.choice((None, None, *PORTS)),
        "link": rng.choice((None, None, None, "c1", "c2")),
        "memory": rng.choice((0, 0, 100, 500, 2000)),
    }


def body_of(request: dict[str, Any]) -> dict[str, Any]:
    env = [f"{kind}:{key}{op}{'~' if soft else ''}{value}" for kind, key, op, soft, value in request["entries"]]
    host: dict[str, Any] = {"Memory": request["memory"]}
    if request["port"]:
        host["PortBindings"] = {"80/tcp": [{"HostPort": str(request["port"])}]}
    if request["link"]:
        host["Links"] = [request["link"]]
    return {"Env": env, "HostConfig": host}


# -- the rules once more, as plainly as can be


def fits(value: str, text: str) -> bool:
    if value == "/./":
        return text != ""
    if value == "/^h/":
        return text.startswith("h")
    if value.endswith("*"):
        return text.startswith(value[:-1])
    if value.startswith("*"):
        return text.endswith(value[1:])
    return text == value


def allowed(name: str, node: dict[str, Any], request: dict[str, Any], *, soft: bool) -> bool:
    if not node["healthy"]:
        return False
    containers = node["containers"]
    if request["port"] and any(row["port"] == request["port"] for row in containers):
        return False
    if request["link"] and all(row["name"] != request["link"] for row in containers):
        return False
    for _, key, op, wish, value in request["entries"]:
        if wish and not soft:
            continue
        texts = {
            "node": [name, f"ID-{name}"],
            "disk": [node["disk"]],
            "container": [
                text for row in containers for text in (row["name"], row["name"].encode().hex().ljust(64, "0"))
            ],
            "tier": [row["tier"] for row in containers],
        }[key]
        if any(fits(value, text) for text in texts) is not (op == "=="):
            return False
    used = sum(row["memory"] for row in containers)
    return not request["memory"] or (request["memory"] <= MEMORY and (used + request["memory"]) * 100 // MEMORY <= 100)


def best(world: World, request: dict[str, Any], *, soft: bool) -> str | None:
    def rank(name: str) -> tuple[int, int, str]:
        containers = world.nodes[name]["containers"]
        used = sum(row["memory"] for row in containers)
        weight = (used + request["memory"]) * 100 // MEMORY if request["memory"] else 0
        return weight, len(containers), name

    found = [name for name, node in world.nodes.items() if allowed(name, node, request, soft=soft)]
    return min(found, key=rank, default=None)


def check(world: World, request: dict[str, Any]) -> None:
    wishes = any(wish for _, _, _, wish, _ in request["entries"])
    soft = True
    expected = best(world, request, soft=True)
    if expected is None and wishes:
        soft, expected = False, best(world, request, soft=False)
    body = body_of(request)
    told = world.paper.explain(**body)
    assert list(told) == list(world.nodes)
    for name, row in told.items():
        assert bool(row.refused_by) is not allowed(name, world.nodes[name], request, soft=soft), (name, row, body)
        assert bool(row.reason) is bool(row.refused_by)
        assert row.chosen is (name == expected)
    if expected is None:
        with pytest.raises(PlacementError):
            world.paper.place(**body)
    else:
        placement = world.paper.place(**body)
        assert placement.node is not None
        assert (placement.node.name, placement.relaxed) == (expected, not soft), json.dumps(body)


@pytest.mark.parametrize("seed", range(8))
def test_decisions_and_explanations_agree_with_the_plain_rules(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        world = World(rng)
        for _ in range(25):
            check(world, make_request(rng))
