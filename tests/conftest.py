"""For all tests: real engines, and a watch over the event loop.

The fixtures `engine` (one) and `cluster_lab` (the article's four) are one lab each per session. Whatever blocks the event loop within skep or
one of its plugins raises BlockingError, at the very call.
"""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import HealthCheck, settings

import skep
from contrib.lab.fixtures import _four_engines, _one_engine, cluster_lab, engine

__all__ = ["_four_engines", "_one_engine", "cluster_lab", "engine"]

# A machine that does other work too is slow now and then, which says nothing of what is tested.
settings.register_profile("skep", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("skep")

_REAL = [Path(__file__).with_name(name) for name in ("engines", "article")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark `engine` what asks for one of these fixtures, and every test of the folders that are about real engines."""
    for item in items:
        asks = {"_one_engine", "_four_engines"}.intersection(getattr(item, "fixturenames", ()))
        if asks or any(folder in item.path.parents for folder in _REAL):
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session", autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Active for the whole session. Watched are the agent and the plugins, but not the embedded engine, which serves the tests."""
    package = Path(skep.__file__).parent
    plugins, testing = ModuleType("plugins"), ModuleType("testing")
    plugins.__path__ = [str(package.parents[1] / "plugins")]
    testing.__path__ = [str(package / "testing")]
    with blockbuster_ctx([skep, plugins], excluded_modules=[testing]) as watch:
        for function in watch.functions.values():
            # Plugins are found and imported before anything runs.
            function.can_block_in("skep/plugins/finding.py", {"find", "installed", "load", "_place"})
            # The library aiodocker is imported by those who ask for it.
            function.can_block_in("skep/engine/client.py", {"docker"})
            # The loop of AWS' libraries is a thread's own.
            function.can_block_in("skep_aws/thread.py", {"_serve"})
        yield watch


@pytest.fixture
def blocking_allowed(blockbuster: BlockBuster) -> Iterator[None]:
    """For tests of what happens when something blocks."""
    blockbuster.deactivate()
    try:
        yield
    finally:
        blockbuster.activate()
