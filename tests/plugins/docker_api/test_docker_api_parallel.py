"""Many clients at once: creates, renames and removes through HTTP, on engines that are slow, fail, or lose answers."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from typing import Any

import pytest

from skep import PlacementQuery, Plugin, Scores, Verdict

NAMES = [f"name{number}" for number in range(60)]
PORTS = (8080, 8081, 8082)
MEMORY = 2**30
CLIENTS, STEPS = 64, 40
REFUSALS = (
    "409 Conflict: The name name",
    "409 Conflict. The container name",
    "400 Renaming a container with the same name as its current name",
    "500 Unable to find a node that satisfies the following condition",
    "500 no resources available to schedule container: memory",
)


class Ports(Plugin):
    """A port of a host once."""

    name = "ports"

    def filter_nodes(self, query: PlacementQuery) -> Verdict:
        find = query.state.container_index("ports", lambda each: [port.public for port in each.bindings])
        kept = query.nodes
        for port in query.request.container.bindings:
            kept = kept - find(port.public)
        return Verdict(kept, lambda _: "port taken")


class Memory(Plugin):
    """Refuses what does not fit."""

    name = "memory"

    def score_nodes(self, query: PlacementQuery) -> Scores:
        wanted = query.request.container.memory
        ranks = query.state.rank_nodes(
            ("memory", wanted), lambda node: node.memory_used if node.memory_used + wanted <= MEMORY else None
        )
        return Scores([(-rank, nodes) for rank, nodes in ranks], lambda _: "no memory", lambda: ["memory"])


class Crowd:
    """Clients that do as they like, and what they were answered."""

    def __init__(self, api: Any, seed: int) -> None:
        self.api = api
        self.rng = random.Random(seed)
        self.answers: Counter[tuple[str, int]] = Counter()
        self.refusals: set[str] = set()

    async def client(self) -> None:
        mine: list[str] = []
        for _ in range(STEPS):
            what = self.rng.choices(("create", "rename", "remove"), (6, 2, 4))[0]
            if what == "create" or not mine:
                what, status, body = "create", *await self.create()
                if status == 201:
                    mine.append(body["Id"])
            elif what == "rename":
                path = f"/containers/{self.rng.choice(mine)}/rename?name={self.rng.choice(NAMES)}"
                status, body = await self.api.call("POST", path)
            else:
                id_ = mine.pop(self.rng.randrange(len(mine)))
                status, body = await self.api.call("DELETE", f"/containers/{id_}?force=1")
            self.answers[what, status] += 1
            if status >= 400:
                self.refusals.add(f"{status} {body['message']}")
            self.check()

    async def create(self) -> tuple[int, Any]:
        bindings = {"80/tcp": [{"HostPort": str(self.rng.choice(PORTS))}]} if self.rng.random() < 0.3 else {}
        host = {"PortBindings": bindings, "Memory": MEMORY // self.rng.choice((4, 16, 64))}
        path = f"/containers/create?name={self.rng.choice(NAMES)}"
        status, body = await self.api.call("POST", path, json={"Image": "busybox", "HostConfig": host})
        return status, body

    def check(self) -> None:
        """On the engines themselves: what they hold at this moment."""
        engines = self.api.engines.values()
        names = Counter(each.name for engine in engines for each in engine.state.containers.values())
        assert max(names.values(), default=0) <= 1, names.most_common(3)
        for engine in engines:
            hosts = [each.host for each in engine.state.containers.values()]
            ports = Counter(binding["HostPort"] for host in hosts for (binding,) in host["PortBindings"].values())
            assert max(ports.values(), default=0) <= 1
            assert sum(host["Memory"] for host in hosts) <= MEMORY


def changes(method: str, path: str) -> bool:
    return method != "GET" and path.startswith("/containers/")


@pytest.mark.parametrize("seed", [1, 2])
async def test_nothing_is_had_twice(serving: Any, seed: int) -> None:
    async with serving("n1", "n2", "n3", plugins=[Ports(), Memory()], memory=MEMORY) as api:
        for number, engine in enumerate(api.engines.values()):
            engine.faults.delay(0.004 * number, changes)
        crowd = Crowd(api, seed)
        await asyncio.gather(*(crowd.client() for _ in range(CLIENTS)))
        assert crowd.answers["create", 201] > 200
        assert crowd.answers["create", 409] > 50
        assert crowd.answers["rename", 204] > 10
        assert crowd.answers["rename", 409] > 20
        assert {status for _, status in crowd.answers} <= {201, 204, 400, 409, 500}
        assert {refusal for refusal in crowd.refusals if not any(map(refusal.startswith, REFUSALS))} == set()
        held = [each.id for engine in api.engines.values() for each in engine.state.containers.values()]
        assert sorted(each.id for each in api.agent.cluster.state.containers()) == sorted(held)


async def test_one_name_goes_to_a_create_or_to_a_rename(serving: Any) -> None:
    async with serving("n1", "n2") as api:
        for engine in api.engines.values():
            engine.faults.delay(0.02, changes)
        made = [await api.call("POST", "/containers/create", json={"Image": "busybox"}) for _ in range(8)]
        create = [api.call("POST", "/containers/create?name=web", json={"Image": "busybox"}) for _ in range(8)]
        rename = [api.call("POST", f"/containers/{body['Id']}/rename?name=web") for _, body in made]
        both = itertools.chain.from_iterable(zip(rename, create, strict=True))
        answers = await asyncio.gather(*both)
        assert Counter(status < 300 for status, _ in answers) == {True: 1, False: 15}
        assert {status for status, _ in answers if status >= 300} == {409}
        assert [each.name for each in api.agent.cluster.state.named("web")] == ["web"]
