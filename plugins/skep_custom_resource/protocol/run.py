"""Answering a request: the resource's function is called, until it answers or the time is over; there is always an answer."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from skep_custom_resource.protocol.answer import ResourceAnswer, failed
from skep_custom_resource.protocol.request import ResourceRequest

__all__ = ["Explain", "Failure", "Resource", "ResourceError", "explained", "run"]

_log = logging.getLogger("skep.custom_resource")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0  # seconds between two tries
_GRACE = 0.5  # seconds that a function has to end when its time is over


class ResourceError(Exception):
    """Raise it in a resource's function to fail with a reason that is shown to whoever runs the stack."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A custom resource: an async function of the request that returns values by name, `request.answer(…)`, or None.

    deletes: whether it is called for Delete; else that succeeds at once. no_echo: whether its values are secrets.
    """

    name: str
    function: Callable[[ResourceRequest], Awaitable[Any]]
    deletes: bool = False
    no_echo: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """What an exception means: `reason` is shown; `again` says that a later try may do better, after `delay` seconds (None: as usual)."""

    reason: str
    again: bool = False
    delay: float | None = None
    gone: bool = False
    """Nothing has that name: where something is to be deleted, that is fine."""
    logged: bool = False
    """The reason says too little: the exception itself belongs in the log."""


Explain = Callable[[Exception], Failure | None]
"""Says what an exception means; None where it cannot tell."""


async def run(
    resource: Resource, request: ResourceRequest, seconds: float, explain: Explain = lambda error: None
) -> ResourceAnswer:
    """Answer a request within so many seconds. Raises nothing but what cancels it.

    Delete of a resource that made nothing succeeds at once, whatever else is wrong with it.
    """
    if request.type == "Delete" and not resource.deletes:
        return ResourceAnswer()
    if request.fault:
        return failed(request.fault)
    last: list[Failure] = []
    task = asyncio.create_task(_tried(resource, request, explain, last), name=f"custom resource {request.request_id}")
    try:
        await asyncio.wait([task], timeout=max(0.0, seconds))
        if task.done():
            return task.result()
    finally:
        await _end(task)
    why = f"; the last try: {last[-1].reason}" if last else ""
    return failed(f"{resource.name}: not ready within {seconds:.0f} s{why}")


async def _end(task: asyncio.Task[ResourceAnswer]) -> None:
    """Cancel a call; one that does not heed that is left behind, so that the answer does not wait for it."""
    if not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_GRACE)
    if task.done() and not task.cancelled():
        task.exception()


async def _tried(resource: Resource, request: ResourceRequest, explain: Explain, last: list[Failure]) -> ResourceAnswer:
    pause = _FIRST_PAUSE
    while True:
        try:
            return _answer(resource, await resource.function(request))
        except Exception as error:
            failure = explain(error) or explained(error)
            if failure.logged:
                _log.error("custom resource %s failed: %s", resource.name, request, exc_info=error)
        if failure.gone and request.type == "Delete":
            return ResourceAnswer()
        if not failure.again:
            return failed(f"{resource.name}: {failure.reason}")
        last[:] = [failure]
        await asyncio.sleep(failure.delay if failure.delay is not None else pause * random.uniform(0.5, 1))  # noqa: S311
        pause = min(pause * 2, _LONGEST_PAUSE)


def _answer(resource: Resource, returned: object) -> ResourceAnswer:
    if isinstance(returned, ResourceAnswer):
        answer = returned
    else:
        answer = ResourceAnswer(values=returned if returned is not None else {})  # type: ignore[arg-type]
    if resource.no_echo and not answer.no_echo:
        answer = ResourceAnswer(answer.values, answer.physical_id, True, answer.reason, answer.success)  # noqa: FBT003
    return answer


def explained(error: Exception) -> Failure:
    """What an exception means that nobody knows. Its text is not shown: it may hold a secret. AWS's own code is."""
    if isinstance(error, ResourceError):
        return Failure(str(error))
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    if isinstance(code, str):
        return Failure(f"AWS refused {getattr(error, 'operation_name', 'a call')}: {code[:100]}")
    return Failure(f"{type(error).__name__} (the provider's log has more)", logged=True)
