"""Each contract test runs twice: on an embedded engine and on a real one of the lab."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from contrib.lab import Host
from contrib.lab.fixtures import engine as lab_engine
from skep.testing import EmbeddedEngine

from .api import Subject

__all__ = ["lab_engine"]


async def _subject(kind: str, path: str) -> AsyncIterator[Subject]:
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(path, limit=0)) as session:
        subject = Subject(kind, path, session)
        yield subject
        await subject.clean_up()


@pytest.fixture
async def embedded() -> AsyncIterator[Subject]:
    """An embedded engine, labelled as the lab's, with the image that the lab's has."""
    async with EmbeddedEngine("contract", labels={"tier": "test"}, images=["busybox"]) as engine:
        async for subject in _subject("embedded", engine.url.removeprefix("unix://")):
            yield subject


@pytest.fixture
async def real(lab_engine: Host) -> AsyncIterator[Subject]:
    """A real engine."""
    async for subject in _subject("real", str(lab_engine.socket)):
        yield subject


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.engine)])
def engine(request: pytest.FixtureRequest) -> Subject:
    """Each of both in turn."""
    subject = request.getfixturevalue(request.param)
    assert isinstance(subject, Subject)
    return subject
