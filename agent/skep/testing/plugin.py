"""The pytest plugin that skep ships: fixtures for plugin authors. What is heavy is imported when a test asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

try:
    from pytest_asyncio import fixture
except ImportError:  # another runner of async tests
    from pytest import fixture  # type: ignore[no-redef] # noqa: PT013

if TYPE_CHECKING:
    from skep.agent import Agent
    from skep.settings import Settings
    from skep.testing.embedded import EmbeddedEngine

__all__ = ["embedded_cluster", "embedded_engine", "skep_agent"]


@fixture
async def embedded_engine() -> AsyncIterator[EmbeddedEngine]:
    """A Docker Engine without Docker, `node1`."""
    from skep.testing.embedded import EmbeddedEngine

    async with EmbeddedEngine("node1") as engine:
        yield engine


@fixture
async def embedded_cluster() -> AsyncIterator[Callable[..., Awaitable[list[EmbeddedEngine]]]]:
    """Makes engines: `await embedded_cluster(3)` starts node1, node2, node3; further arguments are those of EmbeddedEngine."""
    from skep.testing.embedded import EmbeddedEngine

    async with AsyncExitStack() as stack:

        async def start(count: int = 2, **options: Any) -> list[EmbeddedEngine]:
            names = [f"node{number}" for number in range(1, count + 1)]
            return [await stack.enter_async_context(EmbeddedEngine(name, **options)) for name in names]

        yield start


@fixture
async def skep_agent() -> AsyncIterator[Callable[..., Awaitable[Agent]]]:
    """Starts agents: `await skep_agent(plugins=[Hello], engines=[engine])`; they stop after the test.

    engines: embedded engines or addresses. settings: data as in a settings file, or Settings. What keeps an agent from starting is raised.
    """
    from skep.agent import Agent

    async with AsyncExitStack() as stack:

        async def start(
            *,
            plugins: Sequence[Any] = (),
            engines: Sequence[EmbeddedEngine | str] = (),
            settings: Settings | Mapping[str, Any] | None = None,
        ) -> Agent:
            return await stack.enter_async_context(Agent(_settings(settings, engines), plugins=plugins))

        yield start


def _settings(settings: Settings | Mapping[str, Any] | None, engines: Sequence[EmbeddedEngine | str]) -> Settings:
    from msgspec.structs import replace

    from skep.settings import Settings, parse_settings

    checked = settings if isinstance(settings, Settings) else parse_settings(settings or {})
    addresses = tuple(engine if isinstance(engine, str) else engine.url for engine in engines)
    cluster = replace(checked.cluster, engines=(*checked.cluster.engines, *addresses))
    return replace(checked, cluster=cluster)
