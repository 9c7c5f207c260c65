"""Questions to plugins: called so that a failure is counted, named, and means what the hook's policy says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skep.errors import ExpressionError, RequestError
from skep.hooks import ApiRequest, ContainerCreating
from skep.plugins.limits import CutOffError, limited
from skep.plugins.record import PluginState, Record

__all__ = ["ask", "contribution", "refuses", "rule"]

_ANSWERS: Mapping[str, tuple[type, ...]] = {
    "api_answered": (),
    "api_request": (ApiRequest,),
    "container_creating": (ContainerCreating,),
    "container_stopping": (),
    "expression_kinds": (Mapping,),
    "discovery_backends": (Mapping,),
    "lookups": (Mapping,),
}


def refuses(hook: str) -> bool:
    """Whether a request is refused when this hook fails: what might have said no must be heard."""
    return hook in ("filter_nodes", "container_creating", "api_request")


def _refusal(record: Record, hook: str, error: BaseException | None = None) -> RequestError:
    if error is not None:
        status = 503 if hook == "api_request" else 500
        what = str(error) if isinstance(error, CutOffError) else f"{type(error).__name__}: {error}"
        return RequestError(f"plugin {record.name} failed in {hook}, so the request is refused: {what}", status=status)
    why = record.why or "it has not started yet"
    return RequestError(f"the request is refused, as plugin {record.name} must allow it and cannot: {why}", status=503)


def _is_passed_over(record: Record, hook: str) -> bool:
    """Whether a plugin that does not run is left out. Raises RequestError where it must be heard."""
    if record.benched_for():
        return not refuses(hook)  # what must be heard is tried again
    if record.is_running:
        return False
    if refuses(hook) and record.table.startup_error != "ignore":
        raise _refusal(record, hook)
    return True


async def ask(calls: Sequence[tuple[Record, Callable[..., Any], int]], hook: str, argument: Any) -> Any:
    """Put an awaited question to one plugin after another, each within its timeout; each may hand a changed argument on."""
    for record, function, takes in calls:
        if _is_passed_over(record, hook):
            continue
        counters = record.counters(hook)
        counters.calls += 1
        started = time.monotonic()
        try:
            answer = await limited(
                record.table.timeout, function, *(argument,)[:takes], name=f"plugin {record.name}: {hook}"
            )
            _check(hook, answer)
        except (RequestError, ExpressionError):
            record.succeeded()
            raise
        except Exception as error:
            record.failed(hook, error, timed_out=isinstance(error, CutOffError))
            if refuses(hook):
                raise _refusal(record, hook, error) from error
        else:
            record.succeeded()
            argument = argument if answer is None else answer
        finally:
            counters.seconds += time.monotonic() - started
    return argument


def _check(hook: str, answer: object) -> None:
    kinds = _ANSWERS.get(hook)
    if kinds is not None and answer is not None and not isinstance(answer, kinds):
        wanted = " or ".join([each.__name__ for each in kinds] + ["None"])
        raise TypeError(f"expected {wanted}, got {type(answer).__name__}")


def rule(
    record: Record, hook: str, function: Callable[..., Any], takes: int, current: list[str]
) -> Callable[[Any], Any]:
    """A filter or strategy for the scheduler: `current` holds the plugin's name while it runs.

    It cannot be cut off; it is timed. A filter that fails raises RequestError, a strategy that fails has no opinion.
    """
    counters, name = record.counters(hook), record.name
    clock, running = time.perf_counter, PluginState.RUNNING

    def call(query: Any) -> Any:
        if record.state is not running and _is_passed_over(record, hook):
            return None
        counters.calls += 1
        current.append(name)
        started = clock()
        try:
            answer = function(query) if takes else function()
        except (RequestError, ExpressionError):
            raise
        except (Exception, SystemExit) as error:
            record.failed(hook, error)
            if refuses(hook):
                raise _refusal(record, hook, error) from error
            return None
        finally:
            counters.seconds += clock() - started
            current.pop()
        record.succeeded()
        return answer

    return call


def contribution(record: Record, hook: str, function: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Any, bool]:
    """A plugin's contribution, read to its end, and whether it could be had."""
    counters = record.counters(hook)
    counters.calls += 1
    started = time.perf_counter()
    try:
        answer = function(*arguments)
        _check(hook, answer)
        if hook in ("add_commands", "metrics"):
            answer = list(answer)
    except (Exception, SystemExit) as error:
        record.failed(hook, error)
        return None, False
    finally:
        counters.seconds += time.perf_counter() - started
    return answer, answer is not None or hook == "add_routes"
