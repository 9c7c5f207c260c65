"""pytest fixtures that hand real engines to tests; a conftest.py takes them by importing them.

Engines are brought up once per session, and each test gets them as new: when it ends, its containers,
networks and volumes are removed, and its faults mended. Where engines cannot run, the tests are skipped,
naming what is in the way; in CI (the variable CI is "true") they fail.
"""

import os
from collections.abc import Iterator

import pytest

from contrib.lab import ARTICLE, Host, Lab
from contrib.lab.packages import obstacle


def require_engines() -> None:
    """Skip the test that asks, or fail it in CI, when real engines cannot run here."""
    if reason := obstacle():
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def _one_engine() -> Iterator[Lab]:
    require_engines()
    with Lab(["engine"], labels={"engine": {"tier": "test"}}) as lab:
        yield lab


@pytest.fixture(scope="session")
def _four_engines() -> Iterator[Lab]:
    require_engines()
    with Lab(ARTICLE, labels=ARTICLE) as lab:
        yield lab


@pytest.fixture
def engine(_one_engine: Lab) -> Iterator[Host]:
    """One real engine with the label tier=test and the image busybox."""
    yield _one_engine["engine"]
    _one_engine.sync.reset()


@pytest.fixture
def cluster_lab(_four_engines: Lab) -> Iterator[Lab]:
    """The article's four engines, with the image busybox; `await cluster_lab.load("redis")` loads more."""
    yield _four_engines
    _four_engines.sync.reset()
