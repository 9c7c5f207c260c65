"""Whatever is done to containers, in whatever order: the state and its events stay true."""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from skep.testing import EmbeddedEngine, EngineError

NAMES = ("a1", "b2", "c3")
OPERATIONS = (
    *(
        "run",
        "start_container",
        "stop_container",
        "restart_container",
        "kill",
        "die",
        "oom",
        "pause",
        "unpause",
    ),
    *("remove", "remove!", "rename", "restart"),
)
FOLLOWS = {
    None: {"create"},
    "create": {"start", "destroy"},
    "start": {"die"},
    "die": {"start", "destroy"},
    "destroy": set(),
}

steps = st.lists(st.tuples(st.sampled_from(OPERATIONS), st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=40)


async def act(engine: EmbeddedEngine, operation: str, name: str, other: str) -> None:
    if operation == "run":
        engine.run(name, ports={80: "" if name == "a1" else 8080}, RestartPolicy={"Name": "always"})
    elif operation == "remove!":
        engine.remove(name, force=True)
    elif operation == "rename":
        engine.rename(name, other)
    elif operation == "restart":
        await engine.restart()
    else:
        getattr(engine, operation)(name)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_events_alternate_and_nothing_is_held_twice(steps: list[tuple[str, str, str]]) -> None:
    asyncio.run(_play(steps))


async def _play(steps: list[tuple[str, str, str]]) -> None:
    seen: dict[str, str | None] = {}
    async with EmbeddedEngine("property") as engine:
        emit = engine.state.events.emit

        def checked(kind: str, action: str, actor: str, attributes: object) -> object:
            if kind == "container" and action in FOLLOWS:
                assert action in FOLLOWS[seen.get(actor)], (seen.get(actor), action)
                seen[actor] = action
            return emit(kind, action, actor, attributes)  # type: ignore[arg-type]

        engine.state.events.emit = checked  # type: ignore[assignment, method-assign]
        for operation, name, other in steps:
            with contextlib.suppress(EngineError):
                await act(engine, operation, name, other)
            check(engine, seen)


def check(engine: EmbeddedEngine, seen: dict[str, str | None]) -> None:
    containers = engine.state.containers
    assert {c.name: c.id for c in containers.values()} == engine.state.names
    running = [c for c in containers.values() if c.status in ("running", "paused")]
    addresses = [end.address for c in running for end in c.networks.values()]
    assert len(set(addresses)) == len(addresses)
    ports = [b["HostPort"] for c in running for bs in (c.ports or {}).values() for b in bs or () if b["HostIp"] != "::"]
    assert len(set(ports)) == len(ports)
    for container in containers.values():
        up = container in running
        assert seen[container.id] == ("start" if up else "die" if container.started else "create")
        assert bool(container.pid) == up
        assert (container.ports is not None) == up
