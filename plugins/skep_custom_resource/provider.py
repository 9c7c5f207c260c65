"""The agent as provider: takes requests from the queue, answers each of them once, and is done with the message when that was accepted."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from skep_custom_resource.envelope import Admission
from skep_custom_resource.journal import Journal
from skep_custom_resource.protocol import (
    InvalidRequestError,
    Resource,
    ResourceAnswer,
    ResourceRequest,
    encode,
    failed,
    run,
)
from skep_custom_resource.protocol.run import Explain
from skep_custom_resource.sending import Sender
from skep_custom_resource.sqs import Message, Queue

__all__ = ["Limits", "Provider"]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0  # seconds, while the queue cannot be asked
_LEAST = 10.0  # seconds that every request has, however late it comes: our clock may be wrong
_RESERVE = 10.0  # seconds for sending, or a quarter of the time
_MOST_NAMED = 1000  # messages that are remembered as named in the log


@dataclass(frozen=True, slots=True)
class Limits:
    """concurrency: requests at one time. seconds: for each, where CloudFormation does not wait for less. keep_every: seconds."""

    concurrency: int = 8
    seconds: float = 300.0
    keep_every: float = 10.0


class Provider:
    """Serves one queue. find: the resource that a request is for; raises LookupError whose text says why there is none."""

    def __init__(
        self,
        queue: Queue,
        journal: Journal,
        sender: Sender,
        admission: Admission,
        find: Callable[[ResourceRequest], Resource],
        explain: Explain,
        limits: Limits,
        log: logging.Logger,
    ) -> None:
        self._queue, self._journal, self._sender, self._admission = queue, journal, sender, admission
        self._find, self._explain, self._limits, self._log = find, explain, limits, log
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}
        self._named: OrderedDict[str, None] = OrderedDict()
        self.counts: Counter[str] = Counter()
        """How many deliveries ended how: success, failed, duplicate, refused, undelivered, poison."""
        self.seconds = 0.0
        """How long answering took, of all that were accepted."""
        self.working: set[asyncio.Task[None]] = set()
        self.away = ""
        """Why the queue cannot be asked; "" while it can."""

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    while len(self.working) >= self._limits.concurrency:
                        await asyncio.wait(self.working, return_when=asyncio.FIRST_COMPLETED)
                    for message in await self._received(self._limits.concurrency - len(self.working)):
                        task = group.create_task(self._safely(message), name=f"custom resource message {message.id}")
                        self.working.add(task)
                        task.add_done_callback(self.working.discard)
        finally:
            self.working.clear()

    async def _received(self, most: int) -> list[Message]:
        pause = _FIRST_PAUSE
        while True:
            try:
                found = await self._queue.receive(most)
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                if why != self.away:
                    self._log.error("queue %s cannot be asked: %s; trying again", self._queue.url, why)
                self.away = why
            else:
                if self.away:
                    self._log.info("queue %s answers again", self._queue.url)
                self.away = ""
                return found
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _safely(self, message: Message) -> None:
        try:
            async with self._kept(message):
                await self._handle(message)
        except Exception:
            self._log.exception("message %s failed; it will be delivered again", message.id)

    @asynccontextmanager
    async def _kept(self, message: Message) -> AsyncIterator[None]:
        """Keep the message ours in the meantime."""
        task = asyncio.create_task(self._keep(message), name=f"custom resource message {message.id}: keep")
        try:
            yield
        finally:
            task.cancel()

    async def _keep(self, message: Message) -> None:
        while True:
            await asyncio.sleep(self._limits.keep_every)
            try:
                await self._queue.keep(message)
            except Exception as error:
                self._log.warning("message %s cannot be kept: %s: %s", message.id, type(error).__name__, error)

    async def _handle(self, message: Message) -> None:
        try:
            request = self._admission.request(message.body)
        except InvalidRequestError as error:
            self._name(message, f"is not answered: {error}; it is left to the queue's dead-letter queue")
            self.counts["poison"] += 1
            return
        async with self._turn(request.key):
            await self._deliver(message, request)

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[None]:
        """One delivery of a request after another."""
        lock, waiting = self._turns.get(key) or (asyncio.Lock(), 0)
        self._turns[key] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            _, waiting = self._turns.pop(key)
            if waiting > 1:
                self._turns[key] = lock, waiting - 1

    def _name(self, message: Message, text: str) -> None:
        """Log what is wrong with a message once, however often it is delivered."""
        if message.id not in self._named:
            self._log.error("message %s %s", message.id, text)
        self._named[message.id] = None
        if len(self._named) > _MOST_NAMED:
            self._named.popitem(last=False)

    async def _deliver(self, message: Message, request: ResourceRequest) -> None:
        entry = self._journal.get(request.key)
        if entry is not None and entry.state == "accepted":
            self.counts["duplicate"] += 1
            await self._queue.delete(message)
            return
        if entry is not None and entry.state == "refused":
            self._name(
                message, f"was refused by CloudFormation: {request}; it is left to the queue's dead-letter queue"
            )
            return
        started = time.monotonic()
        end = started + self._time_left(message, request)
        body = entry.body if entry is not None else await self._answered(request, end)
        outcome = await self._sender.put(request.response_url, body.encode(), end - time.monotonic())
        if outcome.accepted:
            self.seconds += time.monotonic() - started
            self.counts["failed" if body.startswith('{"Status":"FAILED"') else "success"] += 1
            await self._journal.finished(request.key, accepted=True)
            await self._queue.delete(message)
        elif outcome.final:
            self.counts["refused"] += 1
            await self._journal.finished(request.key, accepted=False)
            self._name(message, f"was refused by CloudFormation: {request}: {outcome.why}")
        else:
            self.counts["undelivered"] += 1
            self._log.error(
                "the answer to %s cannot be delivered: %s; again with the next delivery", request, outcome.why
            )

    def _time_left(self, message: Message, request: ResourceRequest) -> float:
        """How long CloudFormation still waits, in seconds."""
        age = max(0.0, time.time() - message.sent) if message.sent else 0.0
        return max(min(_LEAST, request.timeout), request.timeout - age)

    async def _answered(self, request: ResourceRequest, end: float) -> str:
        try:
            resource = self._find(request)
        except LookupError as error:
            # What was never made can be deleted.
            name, answer = "none", request.answer() if request.type == "Delete" else failed(str(error.args[0]))
        else:
            name, answer = resource.name, await self._ran(resource, request, end)
        body = encode(request, answer, name).decode()
        self._log.info("%s: %s", request, "answered" if answer.success else f"refused: {answer.reason}")
        await self._journal.answered(request.key, body)
        return body

    async def _ran(self, resource: Resource, request: ResourceRequest, end: float) -> ResourceAnswer:
        left = end - time.monotonic()
        seconds = min(self._limits.seconds, left - min(_RESERVE, left / 4))
        if not resource.deletes:
            return await run(resource, request, seconds, self._explain)
        # A stack that is cancelled, or was not answered in time, sends Delete while Create may still be at work.
        try:
            async with asyncio.timeout(seconds), self._turn(request.resource_key):
                return await run(resource, request, seconds * 0.9, self._explain)
        except TimeoutError:
            return failed(f"{resource.name}: a request before this one is still at work")
