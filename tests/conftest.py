"""Real engines for all tests: the fixtures `engine` (one) and `cluster_lab` (the article's four), one lab each per session."""

from pathlib import Path

import pytest

from contrib.lab.fixtures import _four_engines, _one_engine, cluster_lab, engine

__all__ = ["_four_engines", "_one_engine", "cluster_lab", "engine"]

_REAL = [Path(__file__).with_name(name) for name in ("engines", "article")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark `engine` what asks for one of these fixtures, and every test of the folders that are about real engines."""
    for item in items:
        asks = {"_one_engine", "_four_engines"}.intersection(getattr(item, "fixturenames", ()))
        if asks or any(folder in item.path.parents for folder in _REAL):
            item.add_marker(pytest.mark.engine)
