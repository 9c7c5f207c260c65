"""For plugin authors: an embedded engine, fixtures and assertions."""

from .embedded import EmbeddedEngine, EngineError, Event, Fault, Faults

__all__ = ["EmbeddedEngine", "EngineError", "Event", "Fault", "Faults"]
