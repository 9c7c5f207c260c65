"""The article's swarm for the tests here: up once per file."""

from collections.abc import Iterator

import pytest

from contrib.lab import Lab
from tests.article.swarm import Swarm


@pytest.fixture(scope="module")
def swarm(_four_engines: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swarm]:
    """Four real engines as one, behind DOCKER_HOST."""
    try:
        with Swarm(_four_engines, tmp_path_factory.mktemp("swarm")) as swarm:
            yield swarm
    finally:
        _four_engines.sync.reset()
