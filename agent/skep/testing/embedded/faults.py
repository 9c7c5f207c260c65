"""Faults of an embedded engine: what networks, daemons and disks do on a bad day, on demand.

Each method of `Faults` sets one fault and returns it. A fault lasts until its `clear()`, the end of its
``with`` block, or `Faults.clear()`. `where` says which requests it meets: None for all, a glob over the
path without its version (``/containers/*/json``), or a function of method and path.
"""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

import msgspec

from .events import Event, EventLog
from .routing import Call, Reply

if TYPE_CHECKING:
    from .state import State

Where = str | Callable[[str, str], bool] | None
EventChange = Callable[[list[Event]], list[Event]]


class Raw(NamedTuple):
    """A body that does not keep to HTTP: the length it announces, and the bytes it sends."""

    length: int
    pieces: Iterable[bytes]


class Fault:
    """One fault. `hits` counts the requests that met it."""

    def __init__(self, owner: Faults, where: Where) -> None:
        self.hits = 0
        self.cleared = asyncio.Event()
        self._owner = owner
        self._where = where

    def clear(self) -> None:
        """End it; requests that hang go on."""
        self.cleared.set()
        self._owner.active.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def meets(self, method: str, path: str) -> bool:
        """True when the request is one of those it is set on."""
        if self._where is None:
            return True
        if isinstance(self._where, str):
            return fnmatch.fnmatchcase(path, self._where)
        return self._where(method, path)

    async def before(self, call: Call) -> Reply | None:
        """What happens before the request is looked at; a reply ends it there."""
        return None

    def change(self, reply: Reply) -> Reply:
        """What becomes of an ordinary answer."""
        return reply

    def raw(self, reply: Reply) -> Raw | None:
        """What to send in the answer's place before the connection closes; None to send the answer."""
        return None


_F = TypeVar("_F", bound=Fault)


class _Hang(Fault):
    async def before(self, call: Call) -> Reply | None:
        await self.cleared.wait()
        return None


class _Delay(Fault):
    seconds = 0.0

    async def before(self, call: Call) -> Reply | None:
        await asyncio.sleep(self.seconds)
        return None


class _Refuse(Fault):
    async def before(self, call: Call) -> Reply | None:
        if call.request.transport is not None:
            call.request.transport.abort()
        raise ConnectionResetError("refused by a fault")


class _Answer(Fault):
    reply = Reply()

    async def before(self, call: Call) -> Reply | None:
        return self.reply


class _Change(Fault):
    function: Callable[[bytes], bytes]

    def change(self, reply: Reply) -> Reply:
        return Reply(reply.status, self.function(reply.body), reply.content_type, reply.headers)


class _Truncate(Fault):
    keep = 0.5

    def raw(self, reply: Reply) -> Raw | None:
        size = len(reply.body)
        return Raw(size, [reply.body[: int(size * self.keep)]])


class _WrongLength(Fault):
    off_by = 0

    def raw(self, reply: Reply) -> Raw | None:
        return Raw(max(0, len(reply.body) + self.off_by), [reply.body])


class _Endless(Fault):
    piece = b" " * 65536

    def raw(self, reply: Reply) -> Raw | None:
        return Raw(1 << 40, itertools.chain([b'["'], itertools.repeat(self.piece)))


class Faults:
    """The faults of one engine.

    `events` changes what event streams send, batch by batch. `engine_id` is told in place of the true one.
    `subscribe_delay`: seconds between the head of an event stream's answer and the moment from which it has
    events. Real engines take an instant, in which a client that lists too early misses something.
    """

    def __init__(self, state: State) -> None:
        self.active: set[Fault] = set()
        self.events: EventChange | None = None
        self.engine_id: str | None = None
        self.subscribe_delay = 0.0
        self._log: EventLog = state.events
        self._state = state

    def clear(self) -> None:
        """End all faults."""
        for fault in list(self.active):
            fault.clear()
        self.events = self.engine_id = None
        self.subscribe_delay = 0.0

    def met(self, method: str, path: str) -> list[Fault]:
        """The faults that a request meets; counts them."""
        found = [fault for fault in self.active if fault.meets(method, path)]
        for fault in found:
            fault.hits += 1
        return found

    def hang(self, where: Where = None) -> Fault:
        """Take requests and never answer; when cleared, those that wait are answered after all."""
        return self._add(_Hang(self, where))

    def hang_inspect(self, container: str) -> Fault:
        """Never answer an inspection of one container, by whatever name it is asked for."""
        wanted = self._state.container(container).id

        def one(method: str, path: str) -> bool:
            match = re.fullmatch(r"/containers/([^/]+)/json", path)
            if not match or match[1] == "json":
                return False
            name = match[1]
            return wanted.startswith(name) or self._state.names.get(name) == wanted

        return self.hang(one)

    def delay(self, seconds: float, where: Where = None) -> Fault:
        """Answer `seconds` later."""
        fault = _Delay(self, where)
        fault.seconds = seconds
        return self._add(fault)

    def refuse(self, where: Where = None) -> Fault:
        """Reset the connection on which the request came."""
        return self._add(_Refuse(self, where))

    def status(self, status: int, message: str, where: Where = None) -> Fault:
        """Answer with an error in the engine's shape."""
        return self.answer(Reply(status, msgspec.json.encode({"message": message})), where)

    def answer(self, reply: Reply, where: Where = None) -> Fault:
        """Answer with `reply`, whatever is asked."""
        fault = _Answer(self, where)
        fault.reply = reply
        return self._add(fault)

    def change(self, function: Callable[[bytes], bytes], where: Where = None) -> Fault:
        """Pass the body of the true answer through `function`."""
        fault = _Change(self, where)
        fault.function = function
        return self._add(fault)

    def malformed(self, where: Where = None) -> Fault:
        """Answer JSON that is none: it breaks off, and holds bytes that are not UTF-8."""
        return self.change(lambda body: body[: len(body) // 2] + b'{"\xff\xfe": ', where)

    def wrong_types(self, where: Where = None) -> Fault:
        """Answer with numbers where texts belong, texts where numbers belong, and lists as objects."""
        return self.change(lambda body: msgspec.json.encode(_twisted(msgspec.json.decode(body))), where)

    def null_lists(self, where: Where = None) -> Fault:
        """Answer null for every list and object but the outermost, as engines written in Go may."""
        return self.change(lambda body: msgspec.json.encode(_hollow(msgspec.json.decode(body))), where)

    def truncate(self, where: Where = None, *, keep: float = 0.5) -> Fault:
        """Close the connection after a part (`keep`, 0 to 1) of the body."""
        fault = _Truncate(self, where)
        fault.keep = keep
        return self._add(fault)

    def content_length(self, off_by: int, where: Where = None) -> Fault:
        """Announce a body that is `off_by` bytes longer (or, negative, shorter) than what is sent."""
        fault = _WrongLength(self, where)
        fault.off_by = off_by
        return self._add(fault)

    def endless_line(self, where: Where = None) -> Fault:
        """Answer a JSON text that never ends, as fast as the client reads."""
        return self._add(_Endless(self, where))

    def drop_events(self, predicate: Callable[[Event], bool] = lambda event: True) -> None:
        """Send no event that fits; they happened all the same."""
        self.events = lambda batch: [event for event in batch if not predicate(event)]

    def duplicate_events(self) -> None:
        """Send every event twice."""
        self.events = lambda batch: [event for event in batch for _ in range(2)]

    def reorder_events(self) -> None:
        """Send each batch backwards."""
        self.events = lambda batch: batch[::-1]

    def replay_events(self) -> None:
        """Send all remembered events again, now, to those who listen."""
        for event in list(self._log.recent):
            self._log.send(event)

    def close_events(self) -> None:
        """Cut all event streams that are open now; clients may connect again."""
        self._log.close_readers()

    def flood_events(self, count: int, action: str = "exec_die", container: str = "0" * 64) -> None:
        """Let `count` events about a container happen at once."""
        for number in range(count):
            self._log.emit("container", action, container, {"image": "flood", "name": "flood", "n": str(number)})

    def _add(self, fault: _F) -> _F:
        self.active.add(fault)
        return fault


def _twisted(value: object) -> object:
    match value:
        case dict():
            return {key: _twisted(item) for key, item in value.items()}
        case list():
            return {str(place): _twisted(item) for place, item in enumerate(value)}
        case bool() | None:
            return value
        case str():
            return 7
        case _:
            return str(value)


def _hollow(value: object) -> object:
    if isinstance(value, list):
        return [_hollow(item) for item in value]
    if isinstance(value, dict):
        return {key: None if isinstance(item, list | dict) else item for key, item in value.items()}
    return value
