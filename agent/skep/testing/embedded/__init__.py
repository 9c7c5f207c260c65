"""A Docker Engine without Docker: simulated containers behind the real Engine API."""

from .engine import EmbeddedEngine
from .errors import EngineError
from .events import Event
from .faults import Fault, Faults

__all__ = ["EmbeddedEngine", "EngineError", "Event", "Fault", "Faults"]
