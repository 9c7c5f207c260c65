"""Putting what was asked for into a create request's environment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from skep import (
    ConflictError,
    ContainerCreating,
    NotFoundError,
    PlacementRequest,
    PluginError,
    RequestError,
    SkepError,
    TemporaryError,
)
from skep_envfile.asked.entries import FROM, AskedEntry, read_entry
from skep_envfile.settings import SelectSettings
from skep_envfile.values import select

if TYPE_CHECKING:
    from skep import Agent
    from skep_envfile.asked.allowed import Allowed

__all__ = ["FILLED", "fill"]

FILLED = "skep.from.variables"
"""The label that tells which variables were looked up, as a JSON list of names: made again, a container gets them anew."""

_MOST_ENTRIES = 32
_LONGEST = 131_071  # bytes of NAME=value; Linux hands no longer one to a process
_REFUSED = {"\n": "a line's end", "\r": "a line's end", "\0": "a NUL"}


async def fill(
    agent: Agent, allowed: Allowed, creating: ContainerCreating, timeout: float, turns: asyncio.Semaphore
) -> ContainerCreating | None:
    """Look up what the request's `from:` entries ask for, and add the variables to its environment. None where it has none.

    timeout: seconds for all of it. turns: how many questions of containers are asked at one time, so that files have their answers too.

    What the environment has already stays as it is: who creates the container is the nearer one. Raises RequestError with the status to
    answer with (403 not allowed, 400 wrong or not found, 409 ambiguous or colliding, 503 not ready or away), naming the entry.
    """
    request = creating.request
    texts = dict.fromkeys(each.text for each in request.expressions.get(FROM, ()))  # one that comes twice is one
    if not texts:
        return None
    if len(texts) > _MOST_ENTRIES:
        raise RequestError(f"{len(texts)} entries from:…; expected at most {_MOST_ENTRIES} for one container")
    entries = [read_entry(text) for text in texts]
    for entry in entries:
        allowed.check(entry)
    found = await _ask_all(agent, entries, timeout, turns)
    before = _filled_before(request)
    env = [each for each in request.container.env if each.partition("=")[0] not in before]
    own = {each.partition("=")[0] for each in env}
    added = {name: value for name, value in _joined(entries, found).items() if name not in own}
    request = request.with_label(FILLED, msgspec.json.encode(list(added)).decode())
    env += [f"{name}={value}" for name, value in added.items()]
    container = replace(request.container, env=tuple(env))
    return replace(creating, request=replace(request, container=container, body={**request.body, "Env": env}))


async def _ask_all(
    agent: Agent, entries: Sequence[AskedEntry], timeout: float, turns: asyncio.Semaphore
) -> list[Mapping[str, str]]:
    """Each entry's variables. Raises the first failure, and asks no further."""

    async def ask(entry: AskedEntry) -> Mapping[str, str]:
        async with turns:
            return await _ask(agent, entry, timeout)

    tasks = [asyncio.create_task(ask(entry), name=f"plugin envfile: from:{entry.lookup}") for entry in entries]
    try:
        async with asyncio.timeout(timeout):
            return list(await asyncio.gather(*tasks))
    except TimeoutError:
        raise RequestError(f"what from: asks for was not answered within {timeout:g} s", status=503) from None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _ask(agent: Agent, entry: AskedEntry, timeout: float) -> Mapping[str, str]:
    lookup = agent.lookups.known.get(entry.lookup)
    try:
        if lookup is None:
            known = ", ".join(sorted(agent.lookups.known)) or "none: no plugin that runs brings one"
            raise NotFoundError(f"there is no lookup {entry.lookup}; known are {known}")
        found = await agent.lookup(entry.lookup, entry.properties(lookup), timeout=timeout)
        return select(SelectSettings(), found).values
    except SkepError as error:
        raise RequestError(f"from:{entry.text}: {error}", status=_status(error)) from None


def _status(error: SkepError) -> int:
    """The status to answer with. A 404 would have docker's command line pull the image, and say that instead: 400 stands for it."""
    if isinstance(error, NotFoundError):
        return 400
    if isinstance(error, RequestError):
        return error.status
    if isinstance(error, TemporaryError):
        return 503
    return 500 if isinstance(error, PluginError) else 400


def _filled_before(request: PlacementRequest) -> frozenset[str]:
    """The variables that were looked up for the container that this one is made after. Raises RequestError."""
    text = request.container.label(FILLED)
    if text is None:
        return frozenset()
    try:
        return frozenset(msgspec.json.decode(text, type=list[str]))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise RequestError(f"label {FILLED}: expected a JSON list of names, got {text[:80]!r}") from None


def _joined(entries: Iterable[AskedEntry], found: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """All variables. Raises ConflictError where two entries have one name, RequestError for a value that no environment can hold."""
    joined: dict[str, str] = {}
    origins: dict[str, AskedEntry] = {}
    for entry, values in zip(entries, found, strict=True):
        for name, value in values.items():
            if name in origins:
                raise ConflictError(f"from:{origins[name].text} and from:{entry.text} both have a variable {name}")
            _check(entry, name, value)
            origins[name], joined[name] = entry, value
    return joined


def _check(entry: AskedEntry, name: str, value: str) -> None:
    for each, what in _REFUSED.items():
        if each in value:
            raise RequestError(f"from:{entry.text}: {name} holds {what}, which is not handed to containers")
    try:
        length = len(f"{name}={value}".encode())
    except UnicodeEncodeError:
        raise RequestError(f"from:{entry.text}: {name} is not Unicode") from None
    if length > _LONGEST:
        raise RequestError(
            f"from:{entry.text}: {name} takes {length} bytes, of {_LONGEST} that a process can be handed"
        )
