"""One Docker Engine: API version, pooled and streaming calls, events, hijacked connections, TLS."""

from skep.engine.client import Engine
from skep.engine.events import EngineEvent, EventStream
from skep.engine.hijack import Hijacked
from skep.engine.query import Query
from skep.engine.tls import TLS
from skep.engine.wire import Counters

__all__ = ["TLS", "Counters", "Engine", "EngineEvent", "EventStream", "Hijacked", "Query"]
