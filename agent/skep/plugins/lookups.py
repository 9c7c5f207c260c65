"""`Lookups`: asks the lookups that plugins bring. Equal questions are asked once at a time, and answers are kept for a while."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from skep.errors import (
    AmbiguousError,
    DeniedError,
    NotFoundError,
    NotReadyError,
    PluginError,
    PropertyError,
    RequestError,
    SkepError,
    TemporaryError,
)
from skep.hooks import Lookup, Values
from skep.plugins.limits import CutOffError, limited

if TYPE_CHECKING:
    from skep.plugins.manager import PluginManager

__all__ = ["Lookups"]

_log = logging.getLogger("skep.lookups")
_MOST_ANSWERS = 1000
_SUCCESS, _KEPT, _CANCELLED, _TIMEOUT, _BROKEN = "success", "kept", "cancelled", "timeout", "broken"
_FAILURES: Mapping[type[SkepError], str] = {
    NotFoundError: "not_found",
    AmbiguousError: "ambiguous",
    PropertyError: "bad_property",
    DeniedError: "denied",
    NotReadyError: "not_ready",
    TemporaryError: "temporary",
    RequestError: "refused",
}
"""What the failures are called in metrics; the first class that fits."""
_OF_THE_PLUGIN = "denied", "temporary", _TIMEOUT, _BROKEN
"""Failures that are no answers: they count as errors of the plugin."""


class _Question:
    """One that is being asked, how many wait for its answer, and whether one has waited too long."""

    def __init__(self) -> None:
        self.task: asyncio.Task[Values]
        self.waiting = 0
        self.is_late = False


class Lookups:
    """The lookups of one agent's plugins. It keeps the last 1,000 answers, in memory only."""

    def __init__(self, plugins: PluginManager) -> None:
        self._plugins = plugins
        self._answers: OrderedDict[str, tuple[float, Values]] = OrderedDict()
        self._questions: dict[str, _Question] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """How often each lookup ended how, by name and result: success, kept (an answer that was there already), timeout, cancelled (nobody
        waited any more), broken, or one of the failures that skep.errors tells apart."""
        self.seconds: dict[str, float] = {}
        """How long the plugins took for all but kept answers, by lookup."""

    @cached_property
    def known(self) -> Mapping[str, Lookup]:
        """All lookups by name. Where two plugins bring one name, the first in the settings' order has it."""
        return {name: lookup for name, (_, lookup) in self._owned.items()}

    @cached_property
    def _owned(self) -> Mapping[str, tuple[str, Lookup]]:
        found: dict[str, tuple[str, Lookup]] = {}
        for plugin, lookups in self._plugins.contributions("lookups"):
            for name, lookup in lookups.items():
                if name in found:
                    _log.warning("lookup %s of plugin %s is that of plugin %s already", name, plugin, found[name][0])
                found.setdefault(name, (plugin, lookup))
        return found

    async def ask(
        self, name: str, properties: Mapping[str, object], *, max_age: float | None = None, timeout: float | None = None
    ) -> Values:
        """Answer `name` with these properties; see `Agent.lookup`."""
        if name not in self._owned:
            known = ", ".join(sorted(self._owned)) or "none: no plugin that runs brings one"
            raise NotFoundError(f"there is no lookup {name!r}; known are {known}")
        lookup = self._owned[name][1]
        asked = _texts(properties)
        _check(name, lookup, asked)
        key = json.dumps([name, asked], sort_keys=True)
        values = self._kept(key, lookup.max_age if max_age is None else max_age)
        if values is not None:
            self.counts[name, _KEPT] += 1
        else:
            values = await self._shared(key, name, asked, lookup.timeout if timeout is None else timeout)
        return Values(values, values.secret)

    def _kept(self, key: str, max_age: float) -> Values | None:
        at, values = self._answers.get(key, (0.0, None))
        return values if values is not None and time.monotonic() - at < max_age else None

    async def _shared(self, key: str, name: str, asked: Mapping[str, str | list[str]], timeout: float) -> Values:
        """Wait for the answer to a question that others may wait for too; the last who leaves ends it."""
        question = self._questions.get(key)
        if question is None:
            question = self._questions[key] = _Question()
            asking = self._resolve(key, name, asked, question)
            question.task = asyncio.create_task(asking, name=f"plugin {self._owned[name][0]}: {name}")
            question.task.add_done_callback(lambda _: self._forget(key, question))
        question.waiting += 1
        try:
            await asyncio.wait([question.task], timeout=timeout)
            if not question.task.done():
                question.is_late = True
                raise TemporaryError(f"lookup {name}: no answer within {timeout:g} s")
        finally:
            question.waiting -= 1
            if not question.waiting and not question.task.done():
                question.task.cancel()
                self._forget(key, question)
        if question.task.cancelled():
            raise TemporaryError(f"lookup {name}: the agent is stopping")
        return question.task.result()

    def _forget(self, key: str, question: _Question) -> None:
        if self._questions.get(key) is question:
            del self._questions[key]

    async def _resolve(self, key: str, name: str, asked: Mapping[str, str | list[str]], question: _Question) -> Values:
        started = time.monotonic()
        with self._counted(name, question):
            values = await self._answered(name, asked)
        self._answers[key] = (started, values)
        self._answers.move_to_end(key)
        if len(self._answers) > _MOST_ANSWERS:
            self._answers.popitem(last=False)
        return values

    @contextmanager
    def _counted(self, name: str, question: _Question) -> Iterator[None]:
        counters = self._plugins.counters(self._owned[name][0], f"lookup {name}")
        counters.calls += 1
        started = time.monotonic()
        result = _SUCCESS
        try:
            yield
        except SkepError as error:
            result = next((text for kind, text in _FAILURES.items() if isinstance(error, kind)), _BROKEN)
            raise
        except asyncio.CancelledError:
            result = _TIMEOUT if question.is_late else _CANCELLED
            raise
        finally:
            took = time.monotonic() - started
            counters.seconds += took
            counters.errors += result in _OF_THE_PLUGIN
            counters.timeouts += result == _TIMEOUT
            self.seconds[name] = self.seconds.get(name, 0.0) + took
            self.counts[name, result] += 1

    async def _answered(self, name: str, asked: Mapping[str, str | list[str]]) -> Values:
        plugin, lookup = self._owned[name]
        try:
            values: Values = await limited(lookup.timeout, lookup.resolve, asked, name=f"plugin {plugin}: {name}")
        except SkepError:
            raise
        except CutOffError:
            raise TemporaryError(f"lookup {name}: no answer within {lookup.timeout:g} s") from None
        except Exception as error:
            _log.exception("plugin %s: lookup %s failed", plugin, name)
            raise PluginError(f"plugin {plugin}: lookup {name} failed: {type(error).__name__}: {error}") from error
        if not isinstance(values, Values):
            raise PluginError(f"plugin {plugin}: lookup {name}: expected Values, got {type(values).__name__}")
        return values

    async def aclose(self) -> None:
        """End what is being asked, and forget all answers."""
        tasks = [each.task for each in self._questions.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._answers.clear()


def _texts(properties: Mapping[str, object]) -> dict[str, str | list[str]]:
    """Properties as texts: `true`, `5`. Raises PropertyError for what has no such form."""
    return {
        name: [_text(name, each) for each in value] if isinstance(value, list | tuple) else _text(name, value)
        for name, value in properties.items()
    }


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise PropertyError(f"property {name}: expected a text, a number, true, false, or a list of these")


def _check(name: str, lookup: Lookup, asked: Mapping[str, object]) -> None:
    """Raises PropertyError where a property is missing or unknown."""
    missing = [each for each in lookup.required if not asked.get(each)]
    if missing:
        raise PropertyError(f"lookup {name}: {missing[0]} is missing; it takes {', '.join(lookup.properties)}")
    for each in asked if lookup.properties else ():
        if not any(each == known or (known[-1:] == "*" and each.startswith(known[:-1])) for known in lookup.properties):
            raise PropertyError(f"lookup {name}: there is no property {each}; it takes {', '.join(lookup.properties)}")
