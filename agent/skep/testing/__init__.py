"""For plugin authors: a Docker Engine without Docker, fixtures and assertions.

async with EmbeddedEngine("node1", labels={"public": "yes"}) as engine:
    engine.run("web", "nginx", ports={80: 8080})  # as if it happened on the host
    ...                                           # any client of the Docker API, at engine.url
    with engine.faults.hang("/containers/*/json"):
        ...                                       # and how it does on a bad day
"""

from skep.testing.embedded import EmbeddedEngine, EngineError, Event, Fault, Faults

__all__ = ["EmbeddedEngine", "EngineError", "Event", "Fault", "Faults"]
