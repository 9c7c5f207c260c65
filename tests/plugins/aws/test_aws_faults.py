"""AWS on a bad day: throttling, away, slow, half an answer, denied, expired; and pages that do not end."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from skep import Agent, DeniedError, NotReadyError, PropertyError, TemporaryError
from skep_aws.pace import Pace
from tests.plugins.aws.conftest import agent_at
from tests.plugins.aws.fake_aws import FakeAws, half, never, plain_xml, query, refused

PROD = {"StackName": "prod"}


def stack(status: str = "CREATE_COMPLETE", **outputs: str) -> Any:
    made = [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()]
    item = {"StackId": "arn:prod", "StackName": "prod", "StackStatus": status, "Outputs": ("member", made)}
    return query({"Stacks": ("member", [item])})


def keys(number: int, seconds: float) -> Any:
    expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)
    made = {
        "AccessKeyId": f"KEY{number}",
        "SecretAccessKey": "s",
        "SessionToken": "t",
        "Expiration": expires.isoformat(),
    }
    return query({"Credentials": made})


@pytest.mark.parametrize(
    "failure",
    [
        refused("Throttling"),
        refused("RequestLimitExceeded", 503),
        refused("TooManyRequestsException", 429),
        refused("InternalFailure", 500),
        refused("ServiceUnavailable", 503),
        refused("ExpiredToken", 403),
        half,
    ],
)
async def test_what_passes_is_tried_again(fake: FakeAws, failure: Any) -> None:
    fake.on("DescribeStacks", failure, failure, stack(A="1"))
    async with agent_at(fake.url) as agent:
        assert await agent.lookup("stack", PROD) == {"A": "1"}
    assert len(fake.calls) == 3


async def test_tries_end(fake: FakeAws) -> None:
    fake.on("DescribeStacks", refused("Throttling", message="Rate exceeded"))
    async with agent_at(fake.url, attempts=3) as agent:
        with pytest.raises(
            TemporaryError, match=r"lookup stack: cloudformation:DescribeStacks: Throttling: .*Rate exc"
        ):
            await agent.lookup("stack", PROD)
    assert len(fake.calls) == 3


async def test_a_denial_is_told_at_once_with_the_action(faked: Agent, fake: FakeAws) -> None:
    fake.on("DescribeStacks", refused("AccessDenied", 403, "not authorized"))
    with pytest.raises(DeniedError, match=r"cloudformation:DescribeStacks: AccessDenied: .*not authorized"):
        await faked.lookup("stack", PROD)
    assert len(fake.calls) == 1


async def test_no_credentials_are_a_denial(fake: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    async with agent_at(fake.url) as agent:
        with pytest.raises(DeniedError, match=r"Unable to locate credentials \(set AWS_ACCESS_KEY_ID "):
            await agent.lookup("stack", PROD)


async def test_an_unknown_profile_is_told(fake: FakeAws) -> None:
    async with agent_at(fake.url, profile="nobody") as agent:
        with pytest.raises(DeniedError, match="nobody"):
            await agent.lookup("stack", PROD)


async def test_other_refusals_are_the_questions_fault(faked: Agent, fake: FakeAws) -> None:
    fake.on("DescribeStacks", refused("ValidationError", message="1 validation error detected"))
    with pytest.raises(PropertyError, match=r"ValidationError: .*1 validation error"):
        await faked.lookup("stack", PROD)


async def test_no_answer_ends_at_the_deadline_and_leaves_nothing(fake: FakeAws) -> None:
    fake.on("DescribeStacks", never, stack(A="1"))
    async with agent_at(fake.url, lookup_timeout=2) as agent:
        with pytest.raises(TemporaryError, match=r"lookup stack: no answer within 2 s"):
            await agent.lookup("stack", PROD)
        assert await agent.lookup("stack", PROD) == {"A": "1"}


async def test_a_slow_answer_is_tried_again(fake: FakeAws) -> None:
    fake.on("DescribeStacks", never, stack(A="1"))
    async with agent_at(fake.url, read_timeout=0.2) as agent:
        assert await agent.lookup("stack", PROD) == {"A": "1"}


async def test_aws_is_away() -> None:
    async with agent_at("http://127.0.0.1:9", attempts=2) as agent:
        with pytest.raises(TemporaryError, match=r"DescribeStacks: Could not connect to the endpoint URL"):
            await agent.lookup("stack", PROD)


async def test_an_agent_stops_while_aws_does_not_answer(fake: FakeAws) -> None:
    fake.on("DescribeStacks", never)
    async with agent_at(fake.url) as agent:
        asking = asyncio.create_task(agent.lookup("stack", PROD))
        while not fake.calls:
            await asyncio.sleep(0.01)
    with pytest.raises(TemporaryError, match="the agent is stopping"):
        await asking


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        ("UPDATE_COMPLETE", True),
        ("UPDATE_ROLLBACK_COMPLETE", True),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", True),
        ("CREATE_IN_PROGRESS", False),
        ("UPDATE_IN_PROGRESS", False),
        ("UPDATE_ROLLBACK_FAILED", False),
        ("REVIEW_IN_PROGRESS", False),
    ],
)
async def test_a_stack_that_is_being_changed_is_not_ready(
    faked: Agent, fake: FakeAws, status: str, ready: bool
) -> None:
    fake.on("DescribeStacks", stack(status, A="1"))
    if ready:
        assert await faked.lookup("stack", PROD) == {"A": "1"}
    else:
        with pytest.raises(NotReadyError, match=f"stack prod is being changed \\({status}\\)"):
            await faked.lookup("stack", PROD)
    assert await faked.lookup("stack", PROD | {"AllowInProgress": True}) == {"A": "1"}


async def test_all_pages_of_all_of_a_vpcs_parts_are_read(faked: Agent, fake: FakeAws) -> None:
    def pages(key: str, *items: dict[str, Any]) -> list[Any]:
        return [
            plain_xml({key: ("item", [item])} | ({"nextToken": f"t{number}"} if number < len(items) else {}))
            for number, item in enumerate(items, 1)
        ]

    fake.on("DescribeVpcs", *pages("vpcSet", {"vpcId": "vpc-1", "cidrBlock": "10.0.0.0/16", "state": "available"}))
    subnets = [{"subnetId": f"subnet-{each}", "availabilityZone": "eu-west-1a"} for each in (3, 1, 2)]
    fake.on("DescribeSubnets", *pages("subnetSet", *subnets))
    associated = [
        {"routeTableId": f"rtb-{each}", "associationSet": ("item", [{"subnetId": f"subnet-{each}", "main": False}])}
        for each in (1, 2, 3)
    ]
    fake.on("DescribeRouteTables", *pages("routeTableSet", *associated))
    groups = [{"groupId": f"sg-{each}", "groupName": f"g{each}"} for each in (1, 2)]
    fake.on("DescribeSecurityGroups", *pages("securityGroupInfo", *groups))
    values = await faked.lookup("vpc", {"VpcName": "prod"})
    assert values["Subnets"] == ["subnet-1", "subnet-2", "subnet-3"]
    assert values["RouteTableIds"] == "rtb-1,rtb-2,rtb-3"
    assert (values["SecurityGroupId.g1"], values["SecurityGroupId.g2"]) == ("sg-1", "sg-2")
    assert [each.parameters.get("NextToken") for each in fake.made("DescribeSubnets")] == [None, "t1", "t2"]


async def test_pages_that_do_not_end(faked: Agent, fake: FakeAws) -> None:
    fake.on("ListExports", query({"Exports": ("member", []), "NextToken": "again"}))
    with pytest.raises(TemporaryError, match="the pages of the answer do not end"):
        await faked.lookup("export", {"ExportName": "x"})


# -- roles


ROLE = {"RoleArn": "arn:aws:iam::222222222222:role/reader", "ExternalId": "external"}


def exports(name: str, following: str = "") -> Any:
    more = {"NextToken": following} if following else {}
    return query({"Exports": ("member", [{"Name": name, "Value": "1", "ExportingStackId": "s"}])} | more)


@pytest.mark.parametrize("failure", [refused("Throttling"), refused("InternalFailure", 500), half])
async def test_a_page_that_fails_is_asked_again_and_no_part_is_taken_for_all(fake: FakeAws, failure: Any) -> None:
    fake.on("ListExports", exports("app-a", "t1"), failure, exports("app-b", "t2"), failure, exports("app-c"))
    async with agent_at(fake.url) as agent:
        assert set(await agent.lookup("export", {"StartsWith": "app-"})) == {"a", "b", "c"}
    tokens = [each.parameters.get("NextToken") for each in fake.made("ListExports")]
    assert tokens == [None, "t1", "t1", "t2", "t2"]
    fake.on("ListExports", exports("app-a", "t1"), failure)
    async with agent_at(fake.url, attempts=2) as agent:
        with pytest.raises(TemporaryError):
            await agent.lookup("export", {"StartsWith": "app-"})


async def test_a_role_is_taken_on_once_and_its_keys_are_kept(faked: Agent, fake: FakeAws) -> None:
    fake.on("AssumeRole", keys(1, 3600))
    fake.on("DescribeStacks", stack(A="1"))
    for _ in range(2):
        await faked.lookup("stack", PROD | ROLE, max_age=0)
    assumed = fake.made("AssumeRole")
    assert len(assumed) == 1
    assert assumed[0].parameters["ExternalId"] == "external"
    assert assumed[0].parameters["RoleSessionName"] == "skep"
    assert [each.key for each in fake.made("DescribeStacks")] == ["KEY1", "KEY1"]


async def test_keys_that_are_about_to_expire_are_renewed(faked: Agent, fake: FakeAws) -> None:
    fake.on("AssumeRole", keys(1, 100), keys(2, 3600))
    fake.on("DescribeStacks", stack(A="1"))
    for _ in range(3):
        await faked.lookup("stack", PROD | ROLE, max_age=0)
    assert [each.key for each in fake.made("DescribeStacks")] == ["KEY1", "KEY2", "KEY2"]


async def test_keys_that_are_refused_as_expired_are_renewed_at_once(fake: FakeAws) -> None:
    fake.on("AssumeRole", keys(1, 3600), keys(2, 3600))
    fake.on("DescribeStacks", refused("ExpiredToken", 403), stack(A="1"))
    async with agent_at(fake.url, role=ROLE["RoleArn"]) as agent:
        assert await agent.lookup("stack", PROD) == {"A": "1"}
    assert [each.key for each in fake.made("DescribeStacks")] == ["KEY1", "KEY2"]


async def test_a_role_that_may_not_be_taken_on(faked: Agent, fake: FakeAws) -> None:
    fake.on("AssumeRole", refused("AccessDenied", 403, "not authorized to perform: sts:AssumeRole"))
    with pytest.raises(DeniedError, match="sts:AssumeRole"):
        await faked.lookup("stack", PROD | ROLE)


async def test_own_keys_that_have_expired_are_read_again(
    fake: FakeAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As a file is that something else keeps renewing."""
    file = tmp_path / "credentials"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))

    def write(number: int) -> None:
        file.write_text(f"[default]\naws_access_key_id = KEY{number}\naws_secret_access_key = s\n")

    async def expired(request: Any, call: Any) -> Any:
        write(2)
        return await refused("ExpiredToken", 403)(request, call)

    write(1)
    fake.on("DescribeStacks", stack(A="1"), expired, stack(A="1"))
    async with agent_at(fake.url) as agent:
        for _ in range(2):
            assert await agent.lookup("stack", PROD, max_age=0) == {"A": "1"}
    assert [each.key for each in fake.calls] == ["KEY1", "KEY1", "KEY2"]


# -- rates, secrets


async def test_calls_keep_within_the_rate_of_their_service(fake: FakeAws) -> None:
    fake.on("DescribeStacks", stack(A="1"))
    async with agent_at(fake.url, rates={"cloudformation": 20}) as agent:
        await agent.lookup("stack", PROD)
        started = time.monotonic()
        await asyncio.gather(*(agent.lookup("stack", {"StackName": f"s{number}"}) for number in range(50)))
    assert time.monotonic() - started > 0.45  # 40 at once, and 10 more in half a second


async def test_questions_that_are_given_up_keep_nobody_waiting_after_them() -> None:
    pace = Pace(1000)
    many = [asyncio.create_task(pace.wait()) for _ in range(12_000)]  # ten seconds' worth
    await asyncio.sleep(0)
    for task in many:
        task.cancel()
    await asyncio.gather(*many, return_exceptions=True)
    async with asyncio.timeout(5):
        await pace.wait()


async def test_equal_questions_are_one_call_and_answers_are_kept(fake: FakeAws) -> None:
    fake.on("DescribeStacks", stack(A="1"))
    async with agent_at(fake.url, max_age=60) as agent:
        answers = await asyncio.gather(*(agent.lookup("stack", PROD) for _ in range(1000)))
        assert answers == [{"A": "1"}] * 1000
        await agent.lookup("stack", PROD)
        assert len(fake.calls) == 1
        await agent.lookup("stack", PROD, max_age=0)
    assert len(fake.calls) == 2


async def test_secrets_are_in_no_log(moto: str, client: Any, caplog: pytest.LogCaptureFixture) -> None:
    client("secretsmanager").create_secret(Name="db", SecretString='{"password": "hunter2"}')
    client("ssm").put_parameter(Name="/p", Value="hunter2", Type="SecureString")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        async with agent_at(moto) as agent:
            assert (await agent.lookup("secret", {"SecretId": "db"}))["password"] == "hunter2"
            assert (await agent.lookup("ssm", {"Name": "/p"}))["p"] == "hunter2"
    assert "hunter2" not in caplog.text
