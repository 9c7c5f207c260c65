"""A test stack: made or updated, watched while that goes on, its outputs told; deleted again."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from skep import NotFoundError, RequestError
from skep_custom_resource.deploy.account import Account, code_of, told

__all__ = ["down", "outputs", "up"]

_POLL = 0.5  # seconds
_BAD = "FAILED", "ROLLBACK"


def up(account: Account, stack: str, template: Mapping[str, Any], seconds: float) -> dict[str, str]:
    """Make the stack, or update it; returns its outputs. Raises RequestError with what its resource said when it fails."""
    client, body = account.client("cloudformation"), json.dumps(template)
    with told():
        current = _described(client, stack)
        if current is not None and current["StackStatus"] in ("ROLLBACK_COMPLETE", "DELETE_FAILED", "CREATE_FAILED"):
            down(account, stack, seconds)
            current = None
        if not account.step(f"{'make' if current is None else 'update'} stack {stack}"):
            account.say(json.dumps(template, indent=2))
            return {}
        began = time.time()
        if current is None:
            client.create_stack(StackName=stack, TemplateBody=body)
        elif not _updated(client, stack, body):
            account.say(f"stack {stack} is right already")
            return outputs(current)
        found = _settled(account, client, stack, began, seconds)
    if found is None or any(each in found["StackStatus"] for each in _BAD):
        why = _reason(client, stack, began)
        raise RequestError(f"stack {stack} is {found['StackStatus'] if found else 'gone'}{': ' if why else ''}{why}")
    return outputs(found)


def _updated(client: Any, stack: str, body: str) -> bool:
    try:
        client.update_stack(StackName=stack, TemplateBody=body)
    except Exception as error:
        if code_of(error) == "ValidationError" and "No updates" in str(error):
            return False
        raise
    return True


def down(account: Account, stack: str, seconds: float) -> None:
    """Delete the stack and wait for its end. Raises NotFoundError, RequestError."""
    client = account.client("cloudformation")
    with told():
        if _described(client, stack) is None:
            raise NotFoundError(f"there is no stack {stack}")
        if not account.step(f"delete stack {stack}"):
            return
        began = time.time()
        client.delete_stack(StackName=stack)
        found = _settled(account, client, stack, began, seconds)
    if found is not None and found["StackStatus"] != "DELETE_COMPLETE":
        raise RequestError(f"stack {stack} is {found['StackStatus']}: {_reason(client, stack, began)}")


def outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    """Of a described stack."""
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs") or ()}


def described(account: Account, stack: str) -> Mapping[str, Any]:
    """The stack as it is. Raises NotFoundError."""
    with told():
        found = _described(account.client("cloudformation"), stack)
    if found is None:
        raise NotFoundError(f"there is no stack {stack}")
    return found


def _described(client: Any, stack: str) -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = client.describe_stacks(StackName=stack)["Stacks"][0]
    except Exception as error:
        if code_of(error) == "ValidationError" and "does not exist" in str(error):
            return None
        raise
    return found


def _settled(account: Account, client: Any, stack: str, began: float, seconds: float) -> Mapping[str, Any] | None:
    """Wait until nothing is in progress; tells each event as it comes."""
    end, told_events = time.monotonic() + seconds, set[str]()
    while True:
        found = _described(client, stack)
        _tell(account, client, stack, began, told_events, found)
        if found is None or not found["StackStatus"].endswith("_IN_PROGRESS"):
            return found
        if time.monotonic() > end:
            raise RequestError(f"stack {stack} is {found['StackStatus']} after {seconds:.0f} s; it goes on without us")
        time.sleep(_POLL)


def _tell(
    account: Account, client: Any, stack: str, began: float, known: set[str], found: Mapping[str, Any] | None
) -> None:
    if found is None:
        account.say(f"  {stack} is gone")
        return
    for event in _events(client, found.get("StackId", stack), began):
        if event["EventId"] not in known:
            known.add(event["EventId"])
            reason = f": {event['ResourceStatusReason']}" if event.get("ResourceStatusReason") else ""
            account.say(f"  {event['LogicalResourceId']} {event.get('ResourceStatus', '')}{reason}")


def _events(client: Any, stack: str, began: float) -> list[Mapping[str, Any]]:
    """Since then, the first one first; a clock may be some seconds off."""
    found = client.describe_stack_events(StackName=stack).get("StackEvents") or ()
    return sorted(
        (each for each in found if each["Timestamp"].timestamp() >= began - 5), key=lambda each: each["Timestamp"]
    )


def _reason(client: Any, stack: str, began: float) -> str:
    try:
        events = _events(client, stack, began)
    except Exception:
        return ""
    failed = (
        each for each in events if "FAILED" in each.get("ResourceStatus", "") and each.get("ResourceStatusReason")
    )
    return str(next((each["ResourceStatusReason"] for each in failed), ""))
