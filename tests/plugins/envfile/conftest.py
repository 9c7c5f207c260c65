"""For the tests of env files: lookups whose answers the test sets, and agents with files."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from skep import Agent, parse_settings
from skep_envfile import EnvFilePlugin
from skep_envfile.keeper import Keeper
from tests.plugins.envfile.envfile_sources import Files, KeeperOf, Sources, thing


@pytest.fixture
def sources() -> Sources:
    made = Sources()
    made.answers["prod"] = {"DbUrl": "pg://db", "Zones": ["a", "b"]}
    return made


@pytest.fixture
def keeping(sources: Sources, tmp_path: Path) -> KeeperOf:
    """`async with keeping({"prod": {...}}) as keeper:` is an agent with these files; what is not said is filled in."""

    @asynccontextmanager
    async def keep(files: Files) -> AsyncIterator[Keeper]:
        tables = {
            name: {"path": str(tmp_path / f"{name}.env"), "sources": [thing("prod")], **file}
            for name, file in files.items()
        }
        own = {"files": tables, "state": str(tmp_path / "state" / "envfile.json")}
        async with Agent(parse_settings({"plugins": {"envfile": own}}), plugins=[sources]) as agent:
            plugin = agent.plugins.plugins["envfile"]
            assert isinstance(plugin, EnvFilePlugin)
            assert plugin.keeper is not None
            yield plugin.keeper

    return keep
