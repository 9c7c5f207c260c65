"""An engine's event stream.

It is only a hint that something changed: engines drop events for slow readers, and remember no more than 256.
Source: the Engine API reference, "Monitor events".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import aiohttp
import msgspec

from skep.engine.failures import NETWORK_ERRORS, translate
from skep.errors import EngineProtocolError

__all__ = ["MAX_LINE", "EngineEvent", "EventStream", "decode_event"]

MAX_LINE = 2**20
"""Bytes that one event may have."""


class _Actor(msgspec.Struct):
    id: str = msgspec.field(name="ID", default="")
    attributes: dict[str, str] | None = msgspec.field(name="Attributes", default=None)


class _Wire(msgspec.Struct):
    type: str = msgspec.field(name="Type")
    action: str = msgspec.field(name="Action")
    actor: _Actor = msgspec.field(name="Actor")
    time: int = 0
    time_nano: int = msgspec.field(name="timeNano", default=0)


_DECODER = msgspec.json.Decoder(_Wire)


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One event as an engine told it.

    type: of the object (`container`, `network`, `image`, …). action: `start`, `exec_create: sh`, ….
    id, attributes: of the object. time_nano: nanoseconds since 1970 by the engine's clock.
    raw: the line itself, without its end.
    """

    type: str
    action: str
    id: str
    attributes: dict[str, str]
    time_nano: int
    raw: bytes


class EventStream:
    """The events of one subscription in the order they come; it ends when the engine ends it.

    `skipped` counts lines that were not events. Iterating raises EngineUnreachableError when the connection
    breaks, EngineProtocolError for a line longer than `MAX_LINE`.
    """

    def __init__(self, response: aiohttp.ClientResponse, where: str) -> None:
        self._response = response
        self._where = where
        self._rest = bytearray()
        self._ready: deque[EngineEvent] = deque()
        self.skipped = 0

    def __aiter__(self) -> EventStream:
        return self

    async def __anext__(self) -> EngineEvent:
        while not self._ready:
            try:
                chunk = await self._response.content.readany()
            except NETWORK_ERRORS as error:
                raise translate(error, self._where) from error
            if not chunk:
                raise StopAsyncIteration
            self._take(chunk)
        return self._ready.popleft()

    def _take(self, chunk: bytes) -> None:
        *ends, tail = chunk.split(b"\n")
        for end in ends:
            line = bytes(self._rest + end).strip()
            self._rest.clear()
            event = decode_event(line) if len(line) <= MAX_LINE else None
            if event is not None:
                self._ready.append(event)
            elif line:
                self.skipped += 1
        self._rest += tail
        if len(self._rest) > MAX_LINE:
            raise EngineProtocolError(f"{self._where}: an event of more than {MAX_LINE} bytes")


def decode_event(line: bytes) -> EngineEvent | None:
    """The event in this line; None if it is not one."""
    try:
        wire = _DECODER.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    time_nano = wire.time_nano or wire.time * 10**9
    return EngineEvent(wire.type, wire.action, wire.actor.id, wire.actor.attributes or {}, time_nano, line)
