"""The zip as Lambda runs it: a process with the zip and boto3 on its path, and nothing of ours."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from skep_custom_resource.deploy.bundle import bundle, digest
from skep_custom_resource.protocol import Resource, ResourceRequest, UrlRules
from skep_custom_resource.protocol.lambda_handler import make_handler
from tests.plugins.custom_resource.cfn_receiver import Receiver
from tests.plugins.custom_resource.fake_cloudformation import FakeCloudFormation, StackFailedError

RUNTIME = """
import json, sys
code, libraries = sys.argv[1:3]
assert not [each for each in sys.path if each.endswith(("-packages", "/agent", "/plugins"))], sys.path
sys.path[:] = [code, *sys.path, libraries]
import time
class Context:
    aws_request_id = "1"
    end = time.monotonic() + float(sys.argv[3])
    def get_remaining_time_in_millis(self):
        return int((self.end - time.monotonic()) * 1000)
from index import handler
assert not [each for each in sys.modules if each == "skep" or each.startswith("skep.")]
assert "aiohttp" not in sys.modules
print("RETURNED", json.dumps(handler(json.load(sys.stdin), Context())))
"""
SIX = ("elasticache", "image", "route53", "vpc", "certificate", "stack")
TEMPLATE = json.dumps(
    {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"Url": {"Value": "redis://a:6379"}}}
)


@pytest.fixture
def libraries(tmp_path: Path) -> Path:
    """What the runtime has: boto3 and what that needs."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    installed = Path(boto3.__file__).parents[1]
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six.py"):
        (folder / name).symlink_to(installed / name)
    return folder


class Function:
    """A deployed function: runs its zip for each event."""

    def __init__(self, code: Path, libraries: Path, moto_url: str, seconds: float = 30) -> None:
        self.code, self.libraries, self.moto_url, self.seconds = code, libraries, moto_url, seconds
        self.output = ""

    async def __call__(self, event: dict[str, Any]) -> None:
        keep = {key: value for key, value in os.environ.items() if key.startswith("AWS_") or key == "PATH"}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-IS", "-c", RUNTIME, str(self.code), str(self.libraries), str(self.seconds),
            stdin=-1, stdout=-1, stderr=-2, env={**keep, "AWS_ENDPOINT_URL": self.moto_url, "SKEP_PLAIN_LOOPBACK": "1"},
        )  # fmt: skip
        out, _ = await process.communicate(json.dumps(event).encode())
        self.output += out.decode()


@pytest.fixture
def function(tmp_path: Path, libraries: Path, moto_url: str) -> Function:
    code = tmp_path / "code.zip"
    code.write_bytes(bundle("stack", "skep_aws.resolvers"))
    return Function(code, libraries, moto_url)


async def test_the_zip_answers_as_the_runtime_runs_it(
    receiver: Receiver, function: Function, aws: Callable[[str], Any]
) -> None:
    await asyncio.to_thread(aws("cloudformation").create_stack, StackName="prod-of-lambda", TemplateBody=TEMPLATE)
    cloudformation = FakeCloudFormation(receiver, function)
    stack = await cloudformation.create(
        "web", "Custom::StackDependency", {"StackName": "prod-of-lambda", "ServiceTimeout": 60}
    )
    assert stack.data == {"Url": "redis://a:6379", "Environment": "Url=redis://a:6379"}
    assert 'RETURNED {"Status": "SUCCESS"' in function.output, function.output
    await cloudformation.delete("web")
    assert "Signature" not in function.output
    assert "redis://" not in function.output


async def test_the_zip_answers_what_it_cannot_find(receiver: Receiver, function: Function) -> None:
    cloudformation = FakeCloudFormation(receiver, function)
    with pytest.raises(StackFailedError, match="nothing-of-that-name"):
        await cloudformation.create("web", "Custom::StackDependency", {"StackName": "nothing-of-that-name"})
    assert cloudformation.stacks["web"].status == "ROLLBACK_COMPLETE"


async def test_an_import_that_fails_is_answered(receiver: Receiver, function: Function, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    with zipfile.ZipFile(function.code) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"import no_such_module" if name == "skep_lookup/__init__.py" else old.read(name))
    function.code = broken
    with pytest.raises(StackFailedError, match="stack: ModuleNotFoundError"):
        await FakeCloudFormation(receiver, function).create("web", "Custom::StackDependency", {"StackName": "x"})


@pytest.mark.parametrize("name", SIX)
def test_the_zip_is_the_same_each_time_and_holds_text_alone(name: str) -> None:
    first, second = bundle(name, "skep_aws.resolvers"), bundle(name, "skep_aws.resolvers")
    assert digest(first) == digest(second)
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert all(each.endswith(".py") for each in archive.namelist())
        assert archive.namelist() == sorted(archive.namelist())
    assert len(first) < 300_000


class Context:
    """Of a function with so many seconds left."""

    def __init__(self, seconds: float) -> None:
        self.end = asyncio.get_running_loop().time() + seconds
        self.clock = asyncio.get_running_loop().time

    def get_remaining_time_in_millis(self) -> int:
        return int((self.end - self.clock()) * 1000)


async def blocked(request: ResourceRequest) -> None:
    """Lets nothing else run, nor can be cancelled."""
    import threading

    threading.Event().wait(8)


async def endless(request: ResourceRequest) -> None:
    while True:
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            if asyncio.get_running_loop().time() > endless.until:  # type: ignore[attr-defined]
                raise


@pytest.mark.parametrize("function", [blocked, endless])
async def test_a_function_that_hangs_is_answered_for_before_lambda_ends(
    receiver: Receiver, function: Any, blocking_allowed: None
) -> None:
    endless.until = asyncio.get_running_loop().time() + 5  # type: ignore[attr-defined]
    handler = make_handler(Resource("slow", function), UrlRules(plain_loopback=True), log=lambda line: None)

    async def deliver(event: dict[str, Any]) -> None:
        await asyncio.to_thread(handler, event, context := Context(5))
        assert context.get_remaining_time_in_millis() > 0

    with pytest.raises(StackFailedError, match=r"slow: not ready within 2 s"):
        await FakeCloudFormation(receiver, deliver).create("web", "Custom::Slow", {})


async def test_an_answer_that_nobody_takes_fails_the_function_so_that_it_is_called_again(receiver: Receiver) -> None:
    async def quick(request: ResourceRequest) -> dict[str, str]:
        return {"A": "1"}

    handler = make_handler(Resource("quick", quick), UrlRules(plain_loopback=True), log=lambda line: None)
    receiver.plan = (500,) * 50
    failures = []

    async def deliver(event: dict[str, Any]) -> None:
        with pytest.raises(RuntimeError, match="did not take the answer: status 500"):
            await asyncio.to_thread(handler, event, Context(3))
        failures.append(event)
        receiver.plan = ()
        list(receiver._issued.values())[-1].plan.clear()
        await asyncio.to_thread(handler, event, Context(30))

    stack = await FakeCloudFormation(receiver, deliver).create("web", "Custom::Quick", {})
    assert (stack.data, len(failures)) == ({"A": "1"}, 1)
