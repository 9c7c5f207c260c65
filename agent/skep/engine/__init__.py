"""One Docker Engine: negotiation of the API version, pooled and streaming calls, events, hijacked connections, TLS."""

from skep.engine.client import Counters, Engine, Query
from skep.engine.events import EngineEvent, EventStream
from skep.engine.hijack import Hijacked
from skep.engine.tls import TLS

__all__ = ["TLS", "Counters", "Engine", "EngineEvent", "EventStream", "Hijacked", "Query"]
