from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from skep.testing import EmbeddedEngine

from .api import Subject
from .reference import missing, reference_engine


@pytest.fixture(scope="session")
def real_engine() -> Iterator[str]:
    """The address of a real engine with a busybox image: SKEP_TEST_ENGINE, or one started here."""
    if given := os.environ.get("SKEP_TEST_ENGINE"):
        yield given
        return
    if why := missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no real engine: {why}")
    with reference_engine() as address:
        yield address


async def _subject(kind: str, url: str) -> AsyncIterator[Subject]:
    connector = aiohttp.UnixConnector(url.removeprefix("unix://"), limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        subject = Subject(kind, url, session)
        yield subject
        await subject.clean_up()


@pytest.fixture
async def embedded() -> AsyncIterator[Subject]:
    """An embedded engine."""
    async with EmbeddedEngine("contract", labels={"tier": "contract"}, images=["busybox"]) as engine:
        async for subject in _subject("embedded", engine.url):
            yield subject


@pytest.fixture
async def real(real_engine: str) -> AsyncIterator[Subject]:
    """The real engine."""
    async for subject in _subject("real", real_engine):
        yield subject


@pytest.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.engine)])
def engine(request: pytest.FixtureRequest) -> Subject:
    """Each of both in turn."""
    subject = request.getfixturevalue(request.param)
    assert isinstance(subject, Subject)
    return subject
