"""For plugin authors: a Docker Engine without Docker, fixtures and assertions.

async with EmbeddedEngine("node1", labels={"public": "yes"}) as engine:
    engine.run("web", "nginx", ports={80: 8080})  # as if it happened on the host
    ...                                           # any client of the Docker API, at engine.url
    with engine.faults.hang("/containers/*/json"):
        ...                                       # and how it does on a bad day

The fixtures `embedded_engine`, `embedded_cluster` and `skep_agent` are there in every pytest run where skep is installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skep.testing.assertions import assert_plugin_loaded, wait_for
    from skep.testing.conformance import check_plugin
    from skep.testing.embedded import EmbeddedEngine, EngineError, Event, Fault, Faults
    from skep.testing.paper import PaperCluster

__all__ = [
    "EmbeddedEngine",
    "EngineError",
    "Event",
    "Fault",
    "Faults",
    "PaperCluster",
    "assert_plugin_loaded",
    "check_plugin",
    "wait_for",
]

_HOMES = {
    "assertions": "assert_plugin_loaded wait_for",
    "conformance": "check_plugin",
    "embedded": "EmbeddedEngine EngineError Event Fault Faults",
    "paper": "PaperCluster",
}
_HOME = {name: f"skep.testing.{module}" for module, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """Import a name when it is first used: pytest loads this package in every run."""
    if name not in _HOME:
        raise AttributeError(f"module 'skep.testing' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
