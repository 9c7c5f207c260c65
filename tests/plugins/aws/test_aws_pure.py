"""The resolvers without skep: nothing but the standard library is imported, and boto3 carries out the calls, as in Lambda."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skep_aws import resolvers
from tests.plugins.aws.conftest import REGION

PACKAGE = Path(resolvers.__file__).parent
STANDARD = sys.stdlib_module_names | {"__main__", "theirs", "resolvers"}


def run(code: str, *arguments: str) -> Any:
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, *arguments], check=True, capture_output=True, timeout=60
    )
    return json.loads(answer.stdout)


@pytest.mark.parametrize("where", ["", "theirs"])
def test_only_the_standard_library_is_imported_wherever_the_package_is(tmp_path: Path, where: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / where / "resolvers")
    code = (
        "import importlib, json, sys; sys.path[:0] = [sys.argv[1]]; found = importlib.import_module(sys.argv[2]);"
        "print(json.dumps([sorted(found.SOURCES), sorted({each.partition('.')[0] for each in sys.modules})]))"
    )
    names, modules = run(code, str(tmp_path), f"{where}.resolvers" if where else "resolvers")
    assert names == sorted(resolvers.SOURCES)
    assert set(modules) <= STANDARD


@pytest.mark.usefixtures("_own_environment")
async def test_boto3_finds_what_the_agent_finds(moto: str, client: Callable[..., Any]) -> None:
    body = json.dumps(
        {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"B": {"Value": "2"}, "A": {"Value": "1"}}}
    )
    client("cloudformation").create_stack(StackName="prod", TemplateBody=body)
    aws = resolvers.Boto3(endpoint_url=moto, region_name=REGION)
    values = await resolvers.resolve("stack", {"StackName": "prod"}, aws)
    assert values == {"A": "1", "B": "2", "Environment": "A=1\nB=2"}
    elsewhere = {"StackName": "prod", "RoleArn": "arn:aws:iam::111111111111:role/reader", "ExternalId": "external"}
    with pytest.raises(resolvers.Unresolved) as caught:
        await resolvers.resolve("stack", elsewhere, aws)
    assert caught.value.kind == resolvers.NOT_FOUND
    with pytest.raises(resolvers.Unresolved, match="there is no such property; stack takes StackName") as caught:
        await resolvers.resolve("stack", {"StackNmae": "prod"}, aws)
    assert caught.value.kind == resolvers.BAD_PROPERTY
    with pytest.raises(resolvers.Unresolved, match="StackName: it is missing"):
        await resolvers.resolve("stack", {}, aws)
    with pytest.raises(resolvers.Unresolved, match="there is no lookup 'none'"):
        await resolvers.resolve("none", {}, aws)


async def test_a_slip_in_a_resolver_is_not_taken_for_aws() -> None:
    class Broken:
        async def call(self, *arguments: Any) -> dict[str, Any]:
            raise KeyError("slip")

    with pytest.raises(KeyError):
        await resolvers.resolve("stack", {"StackName": "prod"}, Broken())
