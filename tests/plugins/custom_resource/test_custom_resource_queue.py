"""The agent as provider, from the topic to the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from skep import CustomResource, CustomResourceRequest, Lookup, NotFoundError, NotReadyError, Plugin, Values
from skep.testing import wait_for
from tests.plugins.custom_resource.cfn_receiver import Receiver
from tests.plugins.custom_resource.custom_resource_wires import Served, Wires, counts
from tests.plugins.custom_resource.fake_cloudformation import FakeCloudFormation, StackFailedError


class Names(Plugin):
    """A lookup, and a resource that makes something."""

    name = "names"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Mapping[str, Any]] = []
        self.made: list[str] = []
        self.there: set[str] = set()
        self.not_ready = 0

    def lookups(self) -> Mapping[str, Lookup]:
        return {"name": Lookup(resolve=self.resolve), "password": Lookup(resolve=self.password)}

    async def resolve(self, properties: Mapping[str, Any]) -> Values:
        self.asked.append(properties)
        if self.not_ready:
            self.not_ready -= 1
            raise NotReadyError("it is being made", delay=0.01)
        if properties["Name"] == "none":
            raise NotFoundError("nothing is called none")
        return Values(
            {
                "Endpoint": f"{properties['Name']}.example.com:6379",
                "Many": ["a", "ö"],
                "Big": "x" * int(properties.get("Size", "1")),
            }
        )

    async def password(self, properties: Mapping[str, Any]) -> Values:
        return Values({"Password": "hunter2"}, secret=["Password"])

    def custom_resources(self) -> Mapping[str, CustomResource]:
        return {"bucket": self.bucket}

    async def bucket(self, request: CustomResourceRequest) -> object:
        self.made.append(f"{request.type} {request.physical_id}")
        if request.type == "Delete":
            if request.physical_id not in self.there:
                raise NotFoundError(f"there is no bucket {request.physical_id}")
            self.there.remove(request.physical_id)
            return None
        self.there.add(request.properties["Name"])
        return request.answer({"Arn": "arn"}, physical_id=request.properties["Name"])


async def test_a_lookup_answers_create_update_and_delete(cloudformation: FakeCloudFormation, served: Served) -> None:
    names = Names()
    await served(names)
    stack = await cloudformation.create("web", "Custom::NameDependency", {"Name": "redis"})
    assert stack.data == {"Endpoint": "redis.example.com:6379", "Many": ["a", "ö"], "Big": "x"}
    first = stack.physical_id
    assert first.startswith("skep-name-")
    await cloudformation.update("web", {"Name": "other"})
    assert (stack.data["Endpoint"], stack.physical_id) == ("other.example.com:6379", first)
    await cloudformation.delete("web")
    assert [each["RequestType"] for each in stack.events] == ["Create", "Update", "Delete"]
    assert len(names.asked) == 2


async def test_a_failure_says_why_and_its_rollback_succeeds(cloudformation: FakeCloudFormation, served: Served) -> None:
    await served(Names())
    with pytest.raises(StackFailedError, match="name: nothing is called none"):
        await cloudformation.create("web", "Custom::Name", {"Name": "none"})
    assert cloudformation.stacks["web"].status == "ROLLBACK_COMPLETE"


async def test_a_failed_update_goes_back(cloudformation: FakeCloudFormation, served: Served) -> None:
    await served(Names())
    await cloudformation.create("web", "Custom::Name", {"Name": "redis"})
    with pytest.raises(StackFailedError, match="nothing is called none"):
        await cloudformation.update("web", {"Name": "none"})
    assert cloudformation.stacks["web"].status == "UPDATE_ROLLBACK_COMPLETE"


async def test_another_id_replaces_what_a_resource_made(cloudformation: FakeCloudFormation, served: Served) -> None:
    names = Names()
    await served(names)
    await cloudformation.create("web", "Custom::Bucket", {"Name": "one"})
    await cloudformation.update("web", {"Name": "two"})
    assert names.made == ["Create ", "Update one", "Delete one"]
    await cloudformation.delete("web")
    assert names.made[-1] == "Delete two"


async def test_what_was_never_made_or_is_gone_can_be_deleted(
    cloudformation: FakeCloudFormation, served: Served, receiver: Receiver
) -> None:
    """By an id that CloudFormation made up as no answer came, by one that a Create failed under, and twice; each is answered."""
    names = Names()
    await served(names)
    for kind in ("Custom::Name", "Custom::Bucket"):
        stack = await cloudformation.create(f"web-{kind[8:]}", kind, {"Name": "one"})
        stack.physical_id = "web-Looked-1A2B3C"
        assert (await cloudformation.delete(stack.name)).status == "DELETE_COMPLETE"
        assert (await cloudformation.delete(stack.name)).status == "DELETE_COMPLETE"
        assert [issued.accepted[0]["PhysicalResourceId"] for issued in stack.asked[1:]] == ["web-Looked-1A2B3C"] * 2
    assert names.there == {"one"}
    with pytest.raises(StackFailedError):
        await cloudformation.create("bad", "Custom::Bucket", {})
    assert cloudformation.stacks["bad"].status == "ROLLBACK_COMPLETE"


async def test_what_is_not_ready_is_waited_for(cloudformation: FakeCloudFormation, served: Served) -> None:
    names = Names()
    names.not_ready = 3
    await served(names)
    assert (await cloudformation.create("web", "Custom::Name", {"Name": "redis"})).status == "CREATE_COMPLETE"
    assert len(names.asked) == 4


async def test_what_stays_so_is_answered_before_the_deadline(
    cloudformation: FakeCloudFormation, served: Served
) -> None:
    names = Names()
    names.not_ready = 10**9
    await served(names)
    with pytest.raises(StackFailedError, match=r"not ready within \d s; the last try: it is being made"):
        await cloudformation.create("web", "Custom::Name", {"Name": "redis", "ServiceTimeout": 2})


async def test_too_much_names_the_largest_values(cloudformation: FakeCloudFormation, served: Served) -> None:
    await served(Names())
    with pytest.raises(
        StackFailedError, match=r"has 5\d\d\d bytes, and CloudFormation takes 4096.* Big \(5002 bytes\)"
    ):
        await cloudformation.create("web", "Custom::Name", {"Name": "redis", "Size": 5000})


async def test_secrets_are_not_echoed(
    cloudformation: FakeCloudFormation, served: Served, caplog: Any, tmp_path: Any
) -> None:
    caplog.set_level("DEBUG")
    await served(Names())
    stack = await cloudformation.create("web", "Custom::Password", {})
    assert (stack.data, stack.no_echo) == ({"Password": "hunter2"}, True)
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("skep"))
    assert "hunter2" not in logged
    assert "Signature" not in logged
    assert (tmp_path / "journal").stat().st_mode & 0o777 == 0o600


async def test_an_unknown_type_is_named_and_its_delete_succeeds(
    cloudformation: FakeCloudFormation, served: Served
) -> None:
    await served(Names())
    with pytest.raises(
        StackFailedError, match=r"the type 'Custom::Nothing' names no custom resource .* bucket, name, password"
    ):
        await cloudformation.create("web", "Custom::Nothing", {})
    assert cloudformation.stacks["web"].status == "ROLLBACK_COMPLETE"


async def test_the_generic_type_takes_the_name_from_a_property(
    cloudformation: FakeCloudFormation, served: Served
) -> None:
    names = Names()
    await served(names)
    await cloudformation.create("web", "AWS::CloudFormation::CustomResource", {"Resource": "name", "Name": "redis"})
    assert names.asked == [{"Name": "redis"}]


async def test_duplicates_are_answered_once(cloudformation: FakeCloudFormation, served: Served, wires: Wires) -> None:
    names = Names()
    agent = await served(names)

    async def twice(event: dict[str, Any]) -> None:
        await asyncio.gather(wires.publish(event), wires.publish(event))

    cloudformation.deliver = twice
    stack = await cloudformation.create("web", "Custom::Name", {"Name": "redis"})
    await wires.publish(stack.events[0])
    await wait_for(lambda: counts(agent)["duplicate"] == 2)
    await wait_for(lambda: wires.counts() == (0, 0))
    assert len(stack.asked[0].accepted) == 1
    assert len(names.asked) == 1


async def test_two_agents_share_a_queue(cloudformation: FakeCloudFormation, served: Served, wires: Wires) -> None:
    first, second = Names(), Names()
    agents = [await served(first, journal="one"), await served(second, journal="two")]

    async def twice(event: dict[str, Any]) -> None:
        await asyncio.gather(wires.publish(event), wires.publish(event))

    cloudformation.deliver = twice
    stacks = await asyncio.gather(
        *(cloudformation.create(f"web{number}", "Custom::Name", {"Name": "redis"}) for number in range(6))
    )
    await wait_for(lambda: wires.counts() == (0, 0), timeout=20)
    for stack in stacks:
        assert stack.status == "CREATE_COMPLETE"
        # Each keeps a journal of its own, so both may answer; then they say the same.
        assert len(stack.asked[0].accepted) in (1, 2)
        assert all(each == stack.asked[0].answer for each in stack.asked[0].accepted)
    assert sum(counts(agent)["success"] + counts(agent)["duplicate"] for agent in agents) == 12


async def test_keys_that_come_after_the_agent_are_heeded(
    cloudformation: FakeCloudFormation, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at boot, before the machine's role can be had: the queue is asked again with the keys that there are then."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    keys = tmp_path / "keys"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    agent = await served(Names())
    provider: Any = agent.plugins.plugins["custom_resource"]
    await wait_for(lambda: "Unable to locate credentials" in provider.provider.away)
    await asyncio.to_thread(keys.write_text, "[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    stack = await cloudformation.create("web", "Custom::Name", {"Name": "redis"})
    assert stack.data["Endpoint"] == "redis.example.com:6379"
    assert not provider.provider.away


@pytest.mark.parametrize(
    "plan", [(500, 503), ("lose",), (429,), ("hang", "hang")], ids=["errors", "lost", "slow down", "no answer"]
)
async def test_an_answer_is_sent_until_it_is_taken(
    cloudformation: FakeCloudFormation,
    served: Served,
    receiver: Receiver,
    plan: tuple[Any, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("skep_custom_resource.sending._ONE_TRY", 0.5)
    receiver.plan = plan
    agent = await served(Names())
    stack = await cloudformation.create("web", "Custom::Name", {"Name": "redis"})
    await wait_for(lambda: counts(agent)["success"] == 1)
    assert all(each == stack.asked[0].answer for each in stack.asked[0].accepted)
    assert not receiver.strangers
