"""The cloud of the article about custom resources: AWS on loopback, and a CloudFormation that asks and is answered as strictly as the real one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from contrib.aws_demo.server import REGION
from contrib.aws_demo.world import QUESTIONS
from tests.contrib.aws_demo.running import Demo, demo, skep
from tests.plugins.custom_resource.cfn_api import CloudFormationApi
from tests.plugins.custom_resource.cfn_receiver import Receiver
from tests.plugins.custom_resource.fake_cloudformation import FakeCloudFormation

__all__ = ["SHOWN", "Cloud", "shown", "stack_name"]

T = TypeVar("T")
SHOWN = {
    "elasticache": ("Kind", "Endpoint", "Url"),
    "image": ("ImageId", "Name"),
    "route53": ("Id", "NameServers"),
    "vpc": ("VpcId", "CidrBlock", "PublicSubnetIds"),
    "certificate": ("Arn", "SubjectAlternativeNames"),
    "stack": ("DatabaseUrl", "Greeting", "JobsUrl", "WebUrl"),
}
"""The six, and what their test stacks put out."""


def stack_name(name: str) -> str:
    """What a resource's test stack is called."""
    return f"{name}-dependency-test-stack"


def shown(table: str) -> dict[str, str]:
    """The outputs that a command shows of a stack."""
    rows = table[table.index("OUTPUT ") :].splitlines()[1:]
    return {key: value.strip() for key, value in (row.split(" ", 1) for row in rows)}


class Cloud:
    """All services are the demonstration's, but for CloudFormation, which is in a thread here.

    It calls a custom resource's Lambda function, as deployed, and takes its answer at signed addresses. `environ` has both for commands.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._opened = AsyncExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cloudformation")
        self.demo: Demo
        self.formation: FakeCloudFormation
        self.receiver: Receiver

    def __enter__(self) -> Self:
        self.demo = self._stack.enter_context(demo())
        self._thread.start()
        try:
            self.demo.environ["AWS_ENDPOINT_URL_CLOUDFORMATION"] = self._wait(self._open())
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    async def _open(self) -> str:
        self.receiver = await self._opened.enter_async_context(Receiver())
        self.formation = FakeCloudFormation(self.receiver, self._call, region=REGION, timeout=60)
        return (await self._opened.enter_async_context(CloudFormationApi(self.formation))).url

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait(self._opened.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._stack.close()

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _call(self, event: dict[str, Any]) -> None:
        """As CloudFormation calls a function: for nothing but the answer that comes to the address."""
        function = self.client("lambda")
        payload = json.dumps(event).encode()
        await asyncio.to_thread(
            function.invoke, FunctionName=event["ServiceToken"], InvocationType="Event", Payload=payload
        )

    def client(self, service: str) -> Any:
        """A client of the demonstration's."""
        import boto3

        session = boto3.session.Session("test", "test", region_name=REGION)
        return session.client(service, endpoint_url=self.demo.url)

    def skep(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run skep as a user of this account."""
        return skep(self.demo, *arguments, code=code)

    def up(self, name: str, *properties: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Bring a resource's test stack up; it looks up the demonstration's thing unless told otherwise."""
        outputs = [each for attribute in SHOWN[name] for each in ("--output", attribute)]
        asked = properties or (QUESTIONS[name],)
        return self.skep("custom-resource", "test-stack", "up", name, *asked, *outputs, code=code)

    def found(self, name: str) -> dict[str, Any]:
        """What skep lookup finds of a demonstration's thing: from CloudFormation as the demonstration has it."""
        plain = {key: value for key, value in self.demo.environ.items() if key != "AWS_ENDPOINT_URL_CLOUDFORMATION"}
        asked = skep(replace(self.demo, environ=plain), "lookup", name, QUESTIONS[name], "--json")
        return dict(json.loads(asked.stdout))
