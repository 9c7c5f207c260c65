"""For plugin authors: a Docker Engine without Docker, fixtures and assertions.

async with EmbeddedEngine("node1", labels={"public": "yes"}) as engine:
    engine.run("web", "nginx", ports={80: 8080})  # as if it happened on the host
    ...                                           # any client of the Docker API, at engine.url
    with engine.faults.hang("/containers/*/json"):
        ...                                       # and how it does on a bad day

cluster = PaperCluster(MyFilter)                  # where containers would go, without any engine
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skep.testing.embedded import EmbeddedEngine, EngineError, Event, Fault, Faults

if TYPE_CHECKING:
    from skep.testing.paper import PaperCluster

__all__ = ["EmbeddedEngine", "EngineError", "Event", "Fault", "Faults", "PaperCluster"]


def __getattr__(name: str) -> object:
    # it needs all of skep, which a test run that loads our pytest plugin may not
    if name == "PaperCluster":
        from skep.testing.paper import PaperCluster

        return PaperCluster
    raise AttributeError(f"module 'skep.testing' has no attribute {name!r}")
