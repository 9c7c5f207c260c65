"""The article "Extending CloudFormation with Lambda-Backed Custom Resources", by its commands: roles, functions, invocations, test stacks.

Each fixture is a chapter, which stands on the one before. What comes of the stacks' outputs is in test_env_files_of_stacks.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contrib.aws_demo.world import OUTPUTS, QUESTIONS
from tests.article.cloud import SHOWN, Cloud, shown, stack_name

SIX = tuple(SHOWN)
LOG = {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}

pytestmark = pytest.mark.timeout(240)  # what is made once for all counts as the first test's time


@pytest.fixture(scope="module")
def roles() -> Iterator[Cloud]:
    """Chapter "creates the necessary roles"."""
    with Cloud() as cloud:
        cloud.skep("custom-resource", "roles", *SIX)
        yield cloud


@pytest.fixture(scope="module")
def functions(roles: Cloud) -> Cloud:
    """Chapter "creates or updates the Lambda as needed"."""
    roles.skep("custom-resource", "deploy", *SIX)
    return roles


@pytest.fixture(scope="module")
def stacks(functions: Cloud) -> Cloud:
    """Chapter "creates a test-stack", for each of the six."""
    for name in SIX:
        functions.up(name)
    return functions


def actions(document: Any) -> set[str]:
    """All that a policy allows."""
    found: set[str] = set()
    for each in document["Statement"]:
        assert each["Effect"] == "Allow"
        found |= {each["Action"]} if isinstance(each["Action"], str) else set(each["Action"])
    return found


@pytest.mark.parametrize("name", SIX)
def test_a_role_may_do_what_the_lookup_calls_and_log(roles: Cloud, name: str) -> None:
    iam, role = roles.client("iam"), f"{name}Dependency-us-east-1"
    allowed = actions(iam.get_role_policy(RoleName=role, PolicyName="skep")["PolicyDocument"])
    assert allowed == actions(json.loads(roles.skep("lookup", "--policy", name).stdout)) | LOG
    assert not [each for each in allowed if "*" in each]
    trusted = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"]
    assert [each["Principal"] for each in trusted] == [{"Service": "lambda.amazonaws.com"}]


def test_what_is_deployed_is_left_alone_and_what_differs_is_mended(functions: Cloud) -> None:
    again = functions.skep("custom-resource", "deploy", *SIX)
    assert again.stdout.split() == [f"arn:aws:lambda:us-east-1:123456789012:function:{name}Dependency" for name in SIX]
    assert again.stderr.count("is right already") == 2 * len(SIX)
    functions.client("lambda").update_function_code(FunctionName="vpcDependency", ZipFile=b"PK\x05\x06" + bytes(18))
    assert "update the code of function vpcDependency" in functions.skep("custom-resource", "deploy", "vpc").stderr


@pytest.mark.parametrize("name", SIX)
def test_a_function_is_invoked_from_the_command_line(functions: Cloud, name: str) -> None:
    """It answers what the same question by skep lookup does, and a Delete without asking."""
    invoked = functions.skep("custom-resource", "invoke", name, QUESTIONS[name])
    answer = json.loads(invoked.stdout)
    data = {key: value for key, value in answer["Data"].items() if key != "Environment"}
    assert data == functions.found(name)
    assert "of 4096 bytes" in invoked.stderr
    gone = json.loads(functions.skep("custom-resource", "invoke", name, "--type", "Delete").stdout)
    assert gone["Status"] == "SUCCESS"


@pytest.mark.parametrize("name", SIX)
def test_a_test_stack_shows_what_was_looked_up(stacks: Cloud, name: str) -> None:
    outputs = shown(stacks.skep("custom-resource", "test-stack", "status", name).stdout)
    found = stacks.found(name)
    assert outputs == {attribute: found[attribute] for attribute in SHOWN[name]}


def test_each_request_was_answered_once_at_its_signed_address(stacks: Cloud) -> None:
    asked = [issued for name in SIX for issued in stacks.formation.stacks[stack_name(name)].asked]
    assert len(asked) >= len(SIX)
    assert {len(issued.accepted) for issued in asked} == {1}
    assert not [issued.refused for issued in asked if issued.refused]
    assert stacks.receiver.strangers == []


def test_the_stack_has_all_outputs_as_the_text_of_an_env_file(functions: Cloud) -> None:
    """The article's property Environment."""
    answer = json.loads(functions.skep("custom-resource", "invoke", "stack", "StackName=prod").stdout)
    lines = answer["Data"]["Environment"].split("\n")
    assert set(lines) >= {f"{key}={value}" for key, value in OUTPUTS.items()}
    assert lines == sorted(lines)


@pytest.fixture
def undisturbed(stacks: Cloud) -> Iterator[Cloud]:
    """The whole, for a test that takes the zone's stack down: up again afterwards."""
    yield stacks
    stacks.up("route53")


def test_a_stack_goes_down_and_a_wrong_name_rolls_it_back_with_the_reason(undisturbed: Cloud) -> None:
    """Whatever the resource said, its Delete succeeds: no stack is stuck."""
    down = undisturbed.skep("custom-resource", "test-stack", "down", "route53")
    assert f"{stack_name('route53')} is gone" in down.stderr
    bad = undisturbed.up("route53", "DomainName=none.example", code=1)
    assert "is ROLLBACK_COMPLETE: route53: there is no hosted zone none.example" in bad.stderr


def test_a_stack_whose_properties_change_is_updated(stacks: Cloud) -> None:
    up = stacks.up("image", "ImageName=docker-host-201509301200")
    assert shown(up.stdout)["Name"] == "docker-host-201509301200"
    kinds = [event["RequestType"] for event in stacks.formation.stacks[stack_name("image")].events]
    assert kinds == ["Create", "Update"]
    assert shown(stacks.up("image").stdout)["Name"] == "docker-host-201508281029"
