"""Requests that are none, that lie, or that come from those who may not ask; and CloudFormation and AWS that are away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from skep import CustomResource, CustomResourceRequest, Lookup, Plugin, SettingsError, Values
from skep.testing import wait_for
from skep_custom_resource import CustomResourceSettings
from skep_custom_resource.protocol import InvalidRequestError, UrlRules, parse_event, parse_message
from tests.plugins.custom_resource.cfn_receiver import Receiver
from tests.plugins.custom_resource.custom_resource_wires import Served, Wires, counts
from tests.plugins.custom_resource.fake_cloudformation import FakeCloudFormation, StackFailedError

BUCKET = "cloudformation-custom-resource-response-euwest1"
STACK = "arn:aws:cloudformation:eu-west-1:123456789012:stack/web/1"
EVENT = {
    "RequestType": "Create",
    "StackId": STACK,
    "RequestId": "r",
    "LogicalResourceId": "L",
    "ResponseURL": f"https://{BUCKET}.s3.amazonaws.com/x",
}


class Slow(Plugin):
    """A lookup that waits to be let go on."""

    name = "slow"

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.now = self.most = 0

    def lookups(self) -> Mapping[str, Lookup]:
        return {"slow": Lookup(resolve=self.resolve)}

    async def resolve(self, properties: Mapping[str, Any]) -> Values:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.go.wait()
        finally:
            self.now -= 1
        return Values({"A": "1"})


class Making(Plugin):
    """A resource that takes its time to make."""

    name = "making"

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.steps: list[str] = []

    def custom_resources(self) -> Mapping[str, CustomResource]:
        return {"making": self.make}

    async def make(self, request: CustomResourceRequest) -> None:
        self.steps.append(f"{request.type} begins")
        await self.go.wait()
        self.steps.append(f"{request.type} ends")


@pytest.mark.parametrize(
    "url",
    [
        f"https://{BUCKET}.s3.amazonaws.com/a%3Ab?c=d%2Fe", f"https://{BUCKET}.s3-eu-west-1.amazonaws.com/a", f"https://{BUCKET}.s3.eu-west-1.amazonaws.com:443/a",
        f"https://{BUCKET}.s3.dualstack.eu-west-1.amazonaws.com/a", f"https://s3.eu-west-1.amazonaws.com/{BUCKET}/a", "https://own.example.com/a", "https://x.below.example.com/a",
    ],
)  # fmt: skip
def test_addresses_of_cloudformation_are_right(url: str) -> None:
    assert not UrlRules(("own.example.com", ".below.example.com")).fault(url, "eu-west-1")


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "http://169.254.169.254/latest", f"http://{BUCKET}.s3.amazonaws.com/x", "https://169.254.169.254/x", "https://127.0.0.1/x", "http://127.0.0.1/x",
        "https://evil.s3.amazonaws.com/x", f"https://{BUCKET}-evil.s3.amazonaws.com/x", f"https://{BUCKET}.s3.amazonaws.com.evil.com/x",
        f"https://{BUCKET}.s3.amazonaws.com@evil.com/x", f"https://u:p@{BUCKET}.s3.amazonaws.com/x", f"https://{BUCKET}.s3.amazonaws.com:8443/x", f"https://{BUCKET}.s3.amazonaws.com\\@evil.com/x",
        f"https://{BUCKET}.s3.amazonaws.com/x\r\nHost: evil", f"https://{BUCKET}.s3.amazonaws.com/x#y", f"https://s3.amazonaws.com/evil/{BUCKET}/", f"https://{BUCKET}.s3.amazonaws.com",
        "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com/x", "https://[::1]/x", "https://[x/", "file:///etc/passwd", f"https://{BUCKET}.s3.amazonaws.com/ü", f"https://{BUCKET}.s3.amazonaws.com/{'x' * 9000}",
    ],
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_event({**EVENT, "ResponseURL": url}, UrlRules())
    assert str(caught.value).startswith("ResponseURL: ")
    assert "?" not in str(caught.value)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", f"{BUCKET}.s3.amazonaws.com.cn"),  # the same name in another partition is anybody's
        ("eu-west-1", f"{BUCKET}.s3.eu-west-1.amazonaws.eu"),
        (
            "made-up-1",
            "cloudformation-custom-resource-response-madeup1.s3.amazonaws.com",
        ),  # and so is that of no region
        ("us-east-1", "cloudformation-custom-resource-response-useast1.s3.amazonaws.com"),
    ],
)
def test_buckets_that_are_not_cloudformations_of_our_region_are_refused(region: str, host: str) -> None:
    stack = f"arn:aws:cloudformation:{region}:123456789012:stack/x/y"
    event = {**EVENT, "StackId": stack, "ResponseURL": f"https://{host}/x?Signature=s"}
    with pytest.raises(InvalidRequestError, match=r"^ResponseURL: "):
        parse_event(event, UrlRules(region="eu-west-1"))


def test_each_partition_has_its_buckets() -> None:
    for region, host in (
        ("cn-north-1", "cnnorth1.s3.amazonaws.com.cn"),
        ("us-gov-west-1", "usgovwest1.s3.amazonaws.com"),
    ):
        url = f"https://cloudformation-custom-resource-response-{host}/x"
        assert not UrlRules(region=region).fault(url, region)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "1", "null", "[" * 100_000, "{}", '{"StackId": 1}', "\ud800", json.dumps({**EVENT, "StackId": "x"}),
             json.dumps({**EVENT, "RequestId": 'a"b'}), json.dumps({**EVENT, "LogicalResourceId": ""}), json.dumps({**EVENT, "ResponseURL": None})],
)  # fmt: skip
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse_message(text, UrlRules())


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"RequestType": "Destroy"}, "RequestType"), ({"ResourceProperties": 5}, "ResourceProperties"), ({"ResourceType": {}}, "ResourceType"),
     ({"ResourceProperties": {"ServiceTimeout": "0"}}, "ServiceTimeout"), ({"ResourceProperties": {"ServiceTimeout": "1e9"}}, "ServiceTimeout")],
)  # fmt: skip
def test_what_is_wrong_and_can_be_answered_is(change: dict[str, Any], fault: str) -> None:
    assert parse_event({**EVENT, **change}, UrlRules()).fault.startswith(fault)


async def test_poison_is_named_once_and_goes_to_the_dead_letter_queue(
    served: Served, wires: Wires, caplog: pytest.LogCaptureFixture
) -> None:
    agent = await served(Slow(), visibility="1s")
    await wires.publish("no JSON, but hunter2")
    await wait_for(lambda: wires.counts(wires.dead)[0] == 1, timeout=20)
    assert counts(agent)["poison"] == 3
    assert caplog.text.count("is not answered: it is not JSON; it is left to the queue's dead-letter queue") == 1
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("own", "why"),
    [({"topics": ["arn:aws:sns:eu-west-1:123456789012:other"]}, "is not among `topics`"), ({"accounts": ["111122223333"]}, "which is not among `accounts`"),
     ({"plain_loopback": False}, "ResponseURL: expected https")],
)  # fmt: skip
async def test_those_who_may_not_ask_are_not_answered(
    own: dict[str, Any], why: str, cloudformation: FakeCloudFormation, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    agent = await served(Slow(), **own)
    cloudformation.timeout = 0.5
    with pytest.raises(StackFailedError, match="did not receive a response"):
        await cloudformation.create("web", "Custom::Slow", {})
    await wait_for(lambda: counts(agent)["poison"] >= 1)
    assert why in caplog.text
    assert "Signature" not in caplog.text


async def test_an_address_that_has_expired_is_told_and_not_tried_again(
    cloudformation: FakeCloudFormation,
    served: Served,
    wires: Wires,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receiver.plan = (403,) * 9
    slow = Slow()
    slow.go.set()
    agent = await served(slow, visibility="1s")
    cloudformation.timeout = 0.5
    with pytest.raises(StackFailedError):
        await cloudformation.create("web", "Custom::Slow", {})
    await wait_for(lambda: wires.counts(wires.dead)[0] == 2, timeout=20)
    assert counts(agent)["refused"] == 2
    assert [len(each.refused) for each in cloudformation.stacks["web"].asked] == [1, 1]
    assert "status 403 (the address has expired, or was altered)" in caplog.text


async def test_a_message_stays_ours_while_it_is_worked_on_and_work_is_bounded(
    cloudformation: FakeCloudFormation, served: Served, wires: Wires
) -> None:
    slow = Slow()
    agent = await served(slow, visibility="1s", concurrency=2)
    making = [asyncio.create_task(cloudformation.create(f"web{n}", "Custom::Slow", {"N": n})) for n in range(4)]
    await wait_for(lambda: slow.now == 2)
    loop = asyncio.get_running_loop()
    end = loop.time() + 2.5  # longer than the messages were ours at first
    await wait_for(lambda: loop.time() > end)
    slow.go.set()
    await asyncio.gather(*making)
    await wait_for(lambda: wires.counts() == (0, 0))
    assert (slow.most, counts(agent)["success"], counts(agent)["duplicate"]) == (2, 4, 0)


async def test_a_delete_waits_for_the_create_that_it_undoes(cloudformation: FakeCloudFormation, served: Served) -> None:
    making = Making()
    agent = await served(making)
    cloudformation.timeout = 1
    creating = asyncio.create_task(cloudformation.create("web", "Custom::Making", {}))
    await wait_for(lambda: len(cloudformation.stacks["web"].asked) == 2)  # Create was not answered in time
    await wait_for(lambda: len(agent.plugins.plugins["custom_resource"].provider.working) == 2)
    making.go.set()
    with pytest.raises(StackFailedError, match="did not receive a response"):
        await creating
    assert making.steps == ["Create begins", "Create ends", "Delete begins", "Delete ends"]
    assert cloudformation.stacks["web"].status == "ROLLBACK_COMPLETE"


async def test_a_queue_that_is_away_is_told_once_and_heeded_when_it_is_back(
    cloudformation: FakeCloudFormation, served: Served, wires: Wires, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    policy = await asyncio.to_thread(
        wires.aws("sqs").get_queue_attributes, QueueUrl=wires.queue, AttributeNames=["QueueArn"]
    )
    await asyncio.to_thread(wires.aws("sqs").delete_queue, QueueUrl=wires.queue)
    slow = Slow()
    slow.go.set()
    agent = await served(slow)
    provider = agent.plugins.plugins["custom_resource"].provider
    await wait_for(lambda: provider.away)
    name = policy["Attributes"]["QueueArn"].rpartition(":")[2]
    await asyncio.to_thread(wires.aws("sqs").create_queue, QueueName=name)
    assert (await cloudformation.create("web", "Custom::Slow", {})).status == "CREATE_COMPLETE"
    assert caplog.text.count("cannot be asked") == 1
    assert caplog.text.count("answers again") == 1


@pytest.mark.parametrize(
    ("own", "why"),
    [({"queue": "x"}, "queue: expected a URL"), ({"topics": ("x",)}, "topics: expected ARNs"), ({"accounts": ("1",)}, "accounts: expected twelve digits"),
     ({"journal": "x"}, "journal: expected an absolute path")],
)  # fmt: skip
def test_wrong_settings_are_named(own: dict[str, Any], why: str) -> None:
    with pytest.raises((SettingsError, ValueError), match=why):
        CustomResourceSettings(**own)
