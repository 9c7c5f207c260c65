"""`Round`: the questions of one refresh of many files. Each distinct one is asked once, whether it is answered or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from skep import NotFoundError, RequestError, SkepError, TemporaryError, Values
from skep_envfile.settings import FileSettings, SourceSettings
from skep_envfile.values import Gathered, merge, select

__all__ = ["Ask", "Round", "combine"]

Ask = Callable[[str, Mapping[str, object]], Awaitable[Values]]
"""Asks a lookup by name, with properties."""


class Round:
    """`async with Round(ask, limit) as each:`, then `await each.gather(file)` for all files; at the end nothing is being asked any more.

    limit: how many questions are asked at one time.
    """

    def __init__(self, ask: Ask, limit: asyncio.Semaphore) -> None:
        self._ask = ask
        self._limit = limit
        self._answers: dict[str, asyncio.Task[Values]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tasks = list(self._answers.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def gather(self, file: FileSettings) -> Gathered:
        """The variables of a file, by its rules. Raises as `combine`."""
        return combine(file, await self.answers(file))

    async def answers(self, file: FileSettings) -> list[Values | BaseException]:
        """What the sources of a file answer, in their order."""
        return await asyncio.gather(*(self._answer(source) for source in file.sources), return_exceptions=True)

    async def _answer(self, source: SourceSettings) -> Values:
        key = json.dumps([source.lookup, source.asked], sort_keys=True)
        task = self._answers.get(key)
        if task is None:
            name = f"plugin envfile: {source.lookup}"
            task = self._answers[key] = asyncio.create_task(self._asked(source), name=name)
        return await asyncio.shield(task)

    async def _asked(self, source: SourceSettings) -> Values:
        async with self._limit:
            return await self._ask(source.lookup, source.asked)


def combine(file: FileSettings, answers: Sequence[Values | BaseException]) -> Gathered:
    """The variables of a file, by its rules. Raises SkepError saying which source, or which variable, is in the way."""
    parts = []
    for source, answer in zip(file.sources, answers, strict=True):
        if isinstance(answer, NotFoundError) and source.optional:
            parts.append(Gathered(warnings=(f"{source.lookup}: {answer}",)))
        elif isinstance(answer, SkepError):
            raise _named(source, answer)
        elif isinstance(answer, BaseException):
            raise answer
        else:
            parts.append(select(source, answer, source.lookup))
    merged = merge(parts, file.on_collision)
    found = select(file, Values(merged.values, merged.secret), trusted=merged.values)
    origins = {name: merged.origins.get(key, key) for name, key in found.origins.items()}
    if not found.values and not file.allow_empty:
        raise RequestError("there is not a single variable; allow_empty = true writes an empty file")
    return Gathered(found.values, found.secret, merged.warnings + found.warnings, origins)


def _named(source: SourceSettings, error: SkepError) -> SkepError:
    """The same failure, saying which lookup was asked."""
    text = str(error)
    if not text.startswith(f"lookup {source.lookup}"):
        text = f"{source.lookup}: {text}"
    if isinstance(error, TemporaryError):
        return TemporaryError(text, delay=error.delay)
    return RequestError(text, status=error.status if isinstance(error, RequestError) else 500)
