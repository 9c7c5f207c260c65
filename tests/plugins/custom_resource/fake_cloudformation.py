"""CloudFormation as far as custom resources go: requests are sent, answers checked; rollback, replacement, clean-up, time-outs."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.plugins.custom_resource.cfn_receiver import Issued, Receiver

__all__ = ["FakeCloudFormation", "Stack", "StackFailedError"]

Deliver = Callable[[dict[str, Any]], Awaitable[None]]


class StackFailedError(Exception):
    """What was asked of a stack went wrong; the stack's status says how it ended."""


@dataclass
class Stack:
    """A stack of one custom resource. `data` is what Fn::GetAtt sees, `events` what was sent."""

    name: str
    type: str
    properties: dict[str, Any]
    id: str = ""
    status: str = "CREATE_IN_PROGRESS"
    physical_id: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    no_echo: bool = False
    reason: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[Issued] = field(default_factory=list)


class FakeCloudFormation:
    """deliver: takes a request to the provider, as SNS or Lambda do. timeout: seconds to wait where no ServiceTimeout says it."""

    def __init__(self, receiver: Receiver, deliver: Deliver, *, region: str = "eu-west-1", timeout: float = 20) -> None:
        self.receiver, self.deliver, self.region, self.timeout = receiver, deliver, region, timeout
        self.stacks: dict[str, Stack] = {}

    async def create(self, name: str, kind: str, properties: Mapping[str, Any]) -> Stack:
        """Create a stack. Raises StackFailedError when its resource fails; that is deleted then, and the stack rolled back."""
        stack = Stack(name, kind, dict(properties))
        stack.id = f"arn:aws:cloudformation:{self.region}:123456789012:stack/{name}/{uuid.uuid4()}"
        self.stacks[name] = stack
        answer = await self._ask(stack, "Create", stack.properties)
        stack.physical_id = answer.get("PhysicalResourceId") or f"{name}-Looked-{uuid.uuid4().hex[:12].upper()}"
        if answer["Status"] == "SUCCESS":
            self._take(stack, answer, "CREATE_COMPLETE")
            return stack
        stack.reason = answer["Reason"]
        gone = await self._ask(stack, "Delete", stack.properties, physical_id=stack.physical_id)
        stack.status = "ROLLBACK_COMPLETE" if gone["Status"] == "SUCCESS" else "ROLLBACK_FAILED"
        raise StackFailedError(stack.reason)

    async def update(self, name: str, properties: Mapping[str, Any]) -> Stack:
        """Change the properties; nothing is sent where nothing changes. A failure sends the old ones again."""
        stack, new = self.stacks[name], dict(properties)
        old, before = stack.properties, stack.physical_id
        if new == old:
            return stack
        answer = await self._ask(stack, "Update", new, old=old, physical_id=before)
        if answer["Status"] != "SUCCESS":
            stack.reason = answer["Reason"]
            back = await self._ask(
                stack, "Update", old, old=new, physical_id=answer.get("PhysicalResourceId") or before
            )
            stack.status = "UPDATE_ROLLBACK_COMPLETE" if back["Status"] == "SUCCESS" else "UPDATE_ROLLBACK_FAILED"
            raise StackFailedError(stack.reason)
        stack.properties = new
        self._take(stack, answer, "UPDATE_COMPLETE")
        if stack.physical_id != before:
            await self._ask(stack, "Delete", old, physical_id=before)
        return stack

    async def delete(self, name: str) -> Stack:
        """Delete a stack. Raises StackFailedError."""
        stack = self.stacks[name]
        answer = await self._ask(stack, "Delete", stack.properties, physical_id=stack.physical_id)
        stack.status = "DELETE_COMPLETE" if answer["Status"] == "SUCCESS" else "DELETE_FAILED"
        if stack.status == "DELETE_FAILED":
            raise StackFailedError(answer["Reason"])
        return stack

    def _take(self, stack: Stack, answer: Mapping[str, Any], status: str) -> None:
        stack.status, stack.physical_id = status, answer["PhysicalResourceId"]
        stack.data, stack.no_echo = dict(answer.get("Data", {})), bool(answer.get("NoEcho"))

    async def _ask(
        self,
        stack: Stack,
        kind: str,
        properties: Mapping[str, Any],
        *,
        old: Mapping[str, Any] | None = None,
        physical_id: str = "",
    ) -> dict[str, Any]:
        """Send a request and wait for the answer, as long as CloudFormation does."""
        request_id = str(uuid.uuid4())
        issued = self.receiver.issue(stack.id, "Looked", request_id)
        token = properties.get("ServiceToken", "arn:aws:lambda:eu-west-1:123456789012:function:any")
        event = {
            "RequestType": kind, "ResponseURL": issued.url, "StackId": stack.id, "RequestId": request_id, "ResourceType": stack.type,
            "ServiceToken": token, "LogicalResourceId": "Looked", "ResourceProperties": _texts({**properties, "ServiceToken": token}),
        }  # fmt: skip
        if old is not None:
            event["OldResourceProperties"] = _texts({**old, "ServiceToken": token})
        if physical_id:
            event["PhysicalResourceId"] = physical_id
        stack.events.append(event)
        stack.asked.append(issued)
        await self.deliver(event)
        seconds = min(float(properties.get("ServiceTimeout", self.timeout)), self.timeout)
        try:
            async with asyncio.timeout(seconds):
                await issued.came.wait()
        except TimeoutError:
            return {"Status": "FAILED", "Reason": "CloudFormation did not receive a response from your Custom Resource"}
        return _checked(issued.answer, event)


def _texts(value: Any) -> Any:
    """All scalars are texts when they arrive."""
    if isinstance(value, dict):
        return {key: _texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_texts(each) for each in value]
    return str(value).lower() if isinstance(value, bool) else str(value)


def _checked(answer: dict[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """Fail the test where an answer is not as CloudFormation wants it."""
    assert answer["Status"] in ("SUCCESS", "FAILED")
    assert {key: answer[key] for key in ("StackId", "RequestId", "LogicalResourceId")} == {
        key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")
    }
    assert answer["PhysicalResourceId"]
    assert answer["Status"] == "SUCCESS" or answer["Reason"]
    for value in answer.get("Data", {}).values():
        assert isinstance(value, str) or all(isinstance(each, str) for each in value)
    return answer
