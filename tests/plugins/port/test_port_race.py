"""Many clients at once, slow engines, and all placement plugins as they are installed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack

from skep import Agent, ConflictError, Created, PlacementError, parse_settings
from skep.testing import EmbeddedEngine

PLUGINS = ("health", "port", "slots", "dependency", "affinity", "constraint", "whitelist", "spread")


def is_create(method: str, path: str) -> bool:
    return method == "POST" and path == "/containers/create"


async def test_sixty_four_clients_never_get_a_port_or_a_name_twice() -> None:
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(EmbeddedEngine(f"n{number}")) for number in range(1, 5)]
        for number, engine in enumerate(engines):
            engine.faults.delay(0.03 * (number + 1), is_create)
        settings = {"cluster": {"engines": [e.url for e in engines]}, "plugins": {name: {} for name in PLUGINS}}
        agent = await stack.enter_async_context(Agent(parse_settings(settings)))

        async def client(number: int) -> Created:
            ports = {"80/tcp": [{"HostPort": str(8000 + number % 8)}]}
            body = {"Image": "busybox", "HostConfig": {"PortBindings": ports, "Memory": 2**24}}
            request = agent.request(json.dumps(body).encode(), f"web{number // 2}")
            return await agent.create_container(request)

        answers = await asyncio.gather(*(client(number) for number in range(64)), return_exceptions=True)
        created = [each for each in answers if isinstance(each, Created)]
        assert {type(each) for each in answers} <= {Created, ConflictError, PlacementError}
        made = [container for engine in engines for container in engine.state.containers.values()]
        assert sorted(container.id for container in made) == sorted(each.id for each in created)
        names = Counter(container.name for container in made)
        assert max(names.values()) == 1
        for engine in engines:
            ports = [c.host["PortBindings"]["80/tcp"][0]["HostPort"] for c in engine.state.containers.values()]
            assert len(ports) == len(set(ports))
        assert len(made) == 32  # 64 clients want 32 names; 8 ports on 4 nodes
