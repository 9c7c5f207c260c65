"""`skep custom-resource`: roles, functions, invocations and test stacks, against AWS on loopback."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from skep.cli.main import cli
from skep_aws import resolvers
from skep_custom_resource.deploy.bundle import digest
from tests.plugins.custom_resource.cfn_api import CloudFormationApi
from tests.plugins.custom_resource.custom_resource_wires import Served, Wires
from tests.plugins.custom_resource.fake_cloudformation import FakeCloudFormation

SIX = ("elasticache", "image", "route53", "vpc", "certificate", "stack")
TEMPLATE = json.dumps(
    {"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": {"Url": {"Value": "redis://a:6379"}}}
)


def skep(*arguments: str, code: int = 0) -> Result:
    """Run the command; its exit status must be `code`."""
    result = CliRunner().invoke(cli, ["custom-resource", *arguments])
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize("name", SIX)
def test_deploy_makes_role_and_function_and_leaves_alone_what_is_right(
    name: str, moto_url: str, aws: Callable[[str], Any]
) -> None:
    first = skep("deploy", name, "--endpoint-url", moto_url)
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:{name}Dependency"
    assert first.stdout.strip() == arn
    found = aws("lambda").get_function(FunctionName=f"{name}Dependency")["Configuration"]
    assert (found["FunctionArn"], found["Handler"], found["Runtime"]) == (arn, "index.handler", "python3.13")
    role = found["Role"].rpartition("/")[2]
    document = aws("iam").get_role_policy(RoleName=role, PolicyName="skep")["PolicyDocument"]
    actions = {
        a
        for each in document["Statement"]
        for a in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }
    logs = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert actions == set(resolvers.SOURCES[name].actions) | logs
    again = skep("deploy", name, "--endpoint-url", moto_url)
    assert again.stderr.splitlines() == [f"role {role} is right already", f"function {name}Dependency is right already"]


def test_a_change_is_brought_up_to_date(moto_url: str, aws: Callable[[str], Any]) -> None:
    skep("deploy", "export", "--endpoint-url", moto_url)
    aws("lambda").update_function_configuration(FunctionName="exportDependency", Timeout=3)
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    role = "exportDependency-eu-west-1"
    aws("iam").put_role_policy(RoleName=role, PolicyName="skep", PolicyDocument=json.dumps(wide))
    again = skep("deploy", "export", "--endpoint-url", moto_url)
    assert "change function exportDependency: Timeout=120" in again.stderr
    assert "write the policy of role exportDependency-eu-west-1" in again.stderr
    assert aws("lambda").get_function_configuration(FunctionName="exportDependency")["Timeout"] == 120


def test_a_dry_run_changes_nothing(moto_url: str, aws: Callable[[str], Any]) -> None:
    shown = skep("deploy", "secret", "--dry-run", "--endpoint-url", moto_url)
    for line in (
        "would make role secretDependency-eu-west-1",
        "would write the policy",
        "would make function secretDependency",
    ):
        assert line in shown.stderr
    assert "secretsmanager:GetSecretValue" in shown.stderr
    assert "secretDependency" not in [each["FunctionName"] for each in aws("lambda").list_functions()["Functions"]]
    assert "secretDependency-eu-west-1" not in [each["RoleName"] for each in aws("iam").list_roles()["Roles"]]


def test_a_role_may_take_on_another(moto_url: str) -> None:
    shown = skep(
        "roles", "stack", "--dry-run", "--assume-role", "arn:aws:iam::111122223333:role/r", "--endpoint-url", moto_url
    )
    assert "sts:AssumeRole" in shown.stderr
    assert "arn:aws:iam::111122223333:role/r" in shown.stderr


def test_invoke_local_answers_without_lambda(moto_url: str, aws: Callable[[str], Any]) -> None:
    aws("cloudformation").create_stack(StackName="invoked", TemplateBody=TEMPLATE)
    shown = skep("invoke", "stack", "StackName=invoked", "--local", "--endpoint-url", moto_url)
    answer = json.loads(shown.stdout)
    assert answer["Data"]["Url"] == "redis://a:6379"
    assert "of 4096 bytes" in shown.stderr
    failed = skep("invoke", "stack", "StackName=none", "--local", "--endpoint-url", moto_url, code=1)
    assert json.loads(failed.stdout)["Status"] == "FAILED"
    deleted = skep("invoke", "stack", "--type", "Delete", "--local", "--endpoint-url", moto_url)
    assert json.loads(deleted.stdout)["Status"] == "SUCCESS"


def test_invoke_asks_the_function(moto_url: str, aws: Callable[[str], Any]) -> None:
    import urllib.request

    config = json.dumps({"lambda": {"use_docker": False}}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{moto_url}/moto-api/config", config, method="POST"))
    skep("deploy", "vpc", "--endpoint-url", moto_url)
    shown = skep("invoke", "vpc", "VpcName=default", "--endpoint-url", moto_url)  # this function echoes what it is sent
    assert json.loads(shown.stdout)["ResourceProperties"]["VpcName"] == "default"


@pytest.mark.parametrize("name", [*SIX, "provider"])
def test_templates_pass_cfn_lint(name: str, tmp_path: Path) -> None:
    file = tmp_path / "template.json"
    file.write_text(skep("template", name).stdout)
    linter = Path(sys.executable).with_name("cfn-lint")
    done = subprocess.run([linter, "--template", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


async def test_a_test_stack_goes_up_and_down(
    cloudformation: FakeCloudFormation, served: Served, wires: Wires, moto_url: str, aws: Callable[[str], Any]
) -> None:
    """Served by the agent and its plugin aws, by way of the topic."""
    await asyncio.to_thread(aws("cloudformation").create_stack, StackName="prod", TemplateBody=TEMPLATE)
    await served(others={"aws": {"endpoint_url": moto_url}})
    async with CloudFormationApi(cloudformation) as api:

        async def run(*arguments: str, code: int = 0) -> Result:
            return await asyncio.to_thread(skep, "test-stack", *arguments, "--endpoint-url", api.url, code=code)

        up = await run("up", "stack", "StackName=prod", "--output", "Url", "--token", wires.topic)
        assert up.stdout.splitlines()[1].split() == ["Url", "redis://a:6379"]
        assert "Looked CREATE_COMPLETE" in up.stderr
        status = await run("status", "stack")
        assert "stack-dependency-test-stack CREATE_COMPLETE" in status.stdout
        down = await run("down", "stack")
        assert "stack-dependency-test-stack is gone" in down.stderr
        bad = await run("up", "stack", "StackName=none", "--token", wires.topic, code=1)
        assert "is ROLLBACK_COMPLETE: stack: " in bad.stderr


async def test_a_request_is_answered_by_hand(
    cloudformation: FakeCloudFormation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKEP_PLAIN_LOOPBACK", "1")

    async def deliver(event: dict[str, Any]) -> None:
        file = tmp_path / "event.json"
        await asyncio.to_thread(file.write_text, json.dumps(event))
        await asyncio.to_thread(skep, "respond", "--event", str(file), "--status", "SUCCESS")

    cloudformation.deliver = deliver
    assert (await cloudformation.create("web", "Custom::Lost", {})).status == "CREATE_COMPLETE"


def test_the_zip_can_be_had_as_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stack.zip"
    shown = skep("zip", "stack", "-o", str(file))
    assert shown.stdout.strip() == f"{file}: {file.stat().st_size} bytes, CodeSha256 {digest(file.read_bytes())}"
    assert skep("zip", "none", "-o", str(file), code=1).output.startswith(
        "Error: there is no custom resource 'none'; known are "
    )
