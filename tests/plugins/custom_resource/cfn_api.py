"""The API of CloudFormation over `FakeCloudFormation`: what `skep custom-resource test-stack` asks."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self
from xml.sax.saxutils import escape

from aiohttp import web

from tests.plugins.custom_resource.fake_cloudformation import FakeCloudFormation, StackFailedError

__all__ = ["CloudFormationApi"]


@dataclass
class Known:
    """A stack as its owner sees it."""

    template: dict[str, Any]
    status: str
    events: list[tuple[str, str, str, str]] = field(default_factory=list)

    def note(self, name: str, status: str, reason: str = "") -> None:
        self.events.append((datetime.now(UTC).isoformat().replace("+00:00", "Z"), name, status, reason))


class CloudFormationApi:
    """An HTTP server on loopback; stacks of one custom resource called Looked."""

    def __init__(self, cloudformation: FakeCloudFormation) -> None:
        self.fake = cloudformation
        self.known: dict[str, Known] = {}
        self.url = ""
        self._work: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/", self._asked)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        await asyncio.gather(*self._work)
        await self._runner.cleanup()

    async def _asked(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        action, name = form["Action"], form["StackName"].split("/")[-1]
        if action != "CreateStack" and name not in self.known:
            return _error(f"Stack with id {name} does not exist")
        answer = getattr(self, f"_{action}")(name, form)
        text = f"<{action}Response><{action}Result>{answer}</{action}Result></{action}Response>"
        return web.Response(text=text, content_type="text/xml")

    def _CreateStack(self, name: str, form: dict[str, str]) -> str:
        self.known[name] = Known(json.loads(form["TemplateBody"]), "CREATE_IN_PROGRESS")
        looked = self.known[name].template["Resources"]["Looked"]
        self._do(name, "CREATE", self.fake.create(name, looked["Type"], self._properties(name)))
        return f"<StackId>{name}</StackId>"

    def _UpdateStack(self, name: str, form: dict[str, str]) -> str:
        self.known[name].template = json.loads(form["TemplateBody"])
        self._do(name, "UPDATE", self.fake.update(name, self._properties(name)))
        return f"<StackId>{name}</StackId>"

    def _DeleteStack(self, name: str, form: dict[str, str]) -> str:
        self._do(name, "DELETE", self.fake.delete(name))
        return ""

    def _DescribeStackEvents(self, name: str, form: dict[str, str]) -> str:
        rows = [
            f"<member><StackId>{name}</StackId><EventId>{number}</EventId><StackName>{name}</StackName><LogicalResourceId>{logical}"
            f"</LogicalResourceId><Timestamp>{at}</Timestamp><ResourceStatus>{status}</ResourceStatus>"
            f"<ResourceStatusReason>{escape(reason)}</ResourceStatusReason></member>"
            for number, (at, logical, status, reason) in enumerate(self.known[name].events)
        ]
        return f"<StackEvents>{''.join(reversed(rows))}</StackEvents>"

    def _DescribeStacks(self, name: str, form: dict[str, str]) -> str:
        known = self.known[name]
        data = self.fake.stacks[name].data if known.status.endswith("_COMPLETE") and name in self.fake.stacks else {}
        outputs = "".join(
            f"<member><OutputKey>{key}</OutputKey><OutputValue>{escape(data[each['Value']['Fn::GetAtt'][1]])}</OutputValue></member>"
            for key, each in known.template["Outputs"].items()
            if data
        )
        return (
            f"<Stacks><member><StackId>{name}</StackId><StackName>{name}</StackName><StackStatus>{known.status}</StackStatus>"
            f"<CreationTime>2026-01-01T00:00:00Z</CreationTime><Outputs>{outputs}</Outputs></member></Stacks>"
        )

    def _properties(self, name: str) -> dict[str, Any]:
        template = self.known[name].template
        defaults = {key: each.get("Default", "") for key, each in template["Parameters"].items()}
        properties = template["Resources"]["Looked"]["Properties"]
        return {key: self._resolved(value, defaults) for key, value in properties.items()}

    def _resolved(self, value: Any, parameters: dict[str, str]) -> Any:
        """A value of the template without its functions."""
        if not isinstance(value, dict):
            return value
        if "Ref" in value:
            return parameters[value["Ref"]]
        own = {"Partition": "aws", "Region": self.fake.region, "AccountId": "123456789012"}
        return re.sub(r"\$\{AWS::(\w+)\}", lambda match: own[match[1]], value["Fn::Sub"])

    def _do(self, name: str, what: str, work: Awaitable[object]) -> None:
        self.known[name].status = f"{what}_IN_PROGRESS"
        self.known[name].note("Looked", f"{what}_IN_PROGRESS")

        async def done() -> None:
            try:
                await work
            except StackFailedError as error:
                self.known[name].note("Looked", f"{what}_FAILED", str(error))
            else:
                self.known[name].note("Looked", f"{what}_COMPLETE")
            self.known[name].status = self.fake.stacks[name].status
            if self.known[name].status == "DELETE_COMPLETE":
                del self.known[name]

        task = asyncio.create_task(done())
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _error(text: str) -> web.Response:
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>{text}</Message></Error></ErrorResponse>"
    return web.Response(status=400, text=body, content_type="text/xml")
