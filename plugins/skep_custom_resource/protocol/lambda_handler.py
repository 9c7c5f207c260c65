"""The protocol as an AWS Lambda function.

The work is done in a thread, so that an answer leaves before Lambda ends the function, whatever that work is caught in. Where the answer
cannot be delivered, the function fails, and Lambda calls it again with the same request.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from skep_custom_resource.protocol.answer import ResourceAnswer, encode, failed
from skep_custom_resource.protocol.lookups import explain_unresolved
from skep_custom_resource.protocol.put import put
from skep_custom_resource.protocol.request import ResourceRequest, parse_event
from skep_custom_resource.protocol.run import Explain, Resource, run
from skep_custom_resource.protocol.urls import UrlRules, bucket_host

__all__ = ["INVOKED", "Handler", "make_handler"]

INVOKED = "SkepInvoke"
"""A key of events that are no request of CloudFormation's: the answer is returned, and put nowhere."""
_RESERVE = 3.0  # seconds before the function's end, for the answer
_LAST = 0.7  # seconds before it in which no try begins
_DEFAULT = 60.0  # seconds, without a context

Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def make_handler(
    resource: Resource,
    rules: UrlRules | None = None,
    explain: Explain = explain_unresolved,
    log: Callable[[str], object] = _print,
) -> Handler:
    """Make the function that Lambda calls: `handler(event, context)`. What it logs holds neither the event nor any value.

    rules: where answers may go; None: as the environment says, see `UrlRules.from_environment`. log: takes lines of
    JSON; CloudWatch keeps what is printed.
    """
    rules = rules if rules is not None else UrlRules.from_environment()

    def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        seconds = _seconds(context)
        invoked = isinstance(event, dict) and event.get(INVOKED) is True
        request = parse_event(_with_address(event) if invoked else event, rules)
        log(_line(request, f"{request.type} of {resource.name}"))
        answer = _answered(resource, request, max(0.5, min(seconds, request.timeout) - _RESERVE), explain)
        body = encode(request, answer, resource.name)
        said = json.loads(body)
        if invoked:
            return {"Response": said, "Bytes": len(body)}
        outcome = put(request.response_url, body, max(1.0, _seconds(context) - _LAST))
        log(
            _line(
                request, f"{said['Status']} {said.get('Reason', '')}: {'accepted' if outcome.accepted else outcome.why}"
            )
        )
        if not outcome.accepted:
            raise RuntimeError(f"CloudFormation did not take the answer: {outcome.why}")
        return {"Status": said["Status"], "PhysicalResourceId": said["PhysicalResourceId"]}

    return handler


def _seconds(context: Any) -> float:
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return remaining() / 1000 if remaining is not None else _DEFAULT


def _with_address(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event from the command line, with an address that nothing is ever put to."""
    region = str(event.get("StackId", "")).split(":")[3:4]
    return {**event, "ResponseURL": f"https://{bucket_host(''.join(region))}/"}


def _answered(resource: Resource, request: ResourceRequest, seconds: float, explain: Explain) -> ResourceAnswer:
    answers: list[ResourceAnswer] = []
    done = threading.Event()

    def work() -> None:
        loop = asyncio.new_event_loop()
        try:
            answers.append(loop.run_until_complete(run(resource, request, seconds, explain)))
        except BaseException as error:
            answers.append(failed(f"{resource.name}: {type(error).__name__}"))
        finally:
            done.set()
            # Its own threads may hang in a call: they are not waited for.
            if not loop.is_running():
                loop.close()

    threading.Thread(target=work, name="answer", daemon=True).start()
    if not done.wait(seconds + 1.0):
        return failed(f"{resource.name}: not ready within {seconds:.0f} s")
    return answers[0]


def _line(request: ResourceRequest, text: str) -> str:
    """One line of JSON for a log, without what is secret."""
    about = {"stack": request.stack_id, "request": request.request_id, "resource": request.logical_id}
    return json.dumps({"message": text, **about})
