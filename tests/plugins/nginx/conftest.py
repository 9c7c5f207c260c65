"""A folder that another user than root can enter, with a short path: nginx keeps a unix socket in it."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from skep.testing import EmbeddedEngine
from tests.plugins.nginx.nginx_tools import Backend


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="skep-nginx-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
async def node() -> AsyncIterator[EmbeddedEngine]:
    async with EmbeddedEngine("node1") as engine:
        yield engine


@pytest.fixture
async def one() -> AsyncIterator[Backend]:
    async with Backend("one") as backend:
        yield backend


@pytest.fixture
async def two() -> AsyncIterator[Backend]:
    async with Backend("two") as backend:
        yield backend
