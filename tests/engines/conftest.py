"""Real engines for the tests below: the fixtures `engine` (one) and `cluster_lab` (the article's four)."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from contrib.lab.fixtures import _four_engines, _one_engine, cluster_lab, engine

__all__ = ["_four_engines", "_one_engine", "cluster_lab", "engine"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder `engine`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)
