"""An engine's event stream. It is a hint that something changed: engines drop events for slow readers and remember 256."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import msgspec

from skep.engine.failures import translate
from skep.errors import EngineProtocolError, EngineUnreachableError

__all__ = ["MAX_LINE", "EngineEvent", "EventStream"]

MAX_LINE = 2**20
"""Bytes that one event may have."""


class _Actor(msgspec.Struct):
    id: str = msgspec.field(name="ID", default="")
    attributes: dict[str, str] | None = msgspec.field(name="Attributes", default=None)


class _Wire(msgspec.Struct):
    type: str = msgspec.field(name="Type", default="")
    action: str = msgspec.field(name="Action", default="")
    actor: _Actor | None = msgspec.field(name="Actor", default=None)
    time: int = 0
    time_nano: int = msgspec.field(name="timeNano", default=0)


_DECODER = msgspec.json.Decoder(_Wire)


@dataclass(frozen=True, slots=True)
class EngineEvent:
    """One event as an engine told it.

    type: `container`, `network`, `image`, …; action: `start`, `exec_create: sh`, …; id and attributes: of the object.
    time_nano: nanoseconds since 1970 by the engine's clock. raw: the line itself, without its end.
    """

    type: str
    action: str
    id: str
    attributes: dict[str, str]
    time_nano: int
    raw: bytes


class EventStream:
    """The events of one subscription, in the order they come; ends when the engine ends it.

    `skipped` counts lines that were not events. Iterating raises EngineUnreachableError when the connection breaks,
    EngineProtocolError for a line longer than `MAX_LINE`.
    """

    def __init__(self, response: aiohttp.ClientResponse, where: str) -> None:
        self._response = response
        self._where = where
        self.skipped = 0

    async def __aiter__(self) -> AsyncIterator[EngineEvent]:
        async for line in self._lines():
            event = decode_event(line)
            if event is None:
                self.skipped += 1
            else:
                yield event

    async def _lines(self) -> AsyncIterator[bytes]:
        rest = bytearray()
        try:
            async for chunk in self._response.content.iter_any():
                *lines, tail = chunk.split(b"\n")
                if lines:
                    lines[0] = bytes(rest) + lines[0]
                    rest.clear()
                rest += tail
                for line in lines:
                    self._check(len(line))
                    if line.strip():
                        yield line.strip()
                self._check(len(rest))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise translate(error, self._where) or EngineUnreachableError(self._where) from error

    def _check(self, size: int) -> None:
        if size > MAX_LINE:
            raise EngineProtocolError(f"{self._where}: an event longer than {MAX_LINE} bytes")


def decode_event(line: bytes) -> EngineEvent | None:
    """The event in this line; None when it is not one."""
    try:
        wire = _DECODER.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    actor = wire.actor
    if not (wire.type and wire.action and actor):
        return None
    time_nano = wire.time_nano or wire.time * 10**9
    return EngineEvent(wire.type, wire.action, actor.id, actor.attributes or {}, time_nano, line)
