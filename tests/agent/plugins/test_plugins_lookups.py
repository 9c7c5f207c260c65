"""Lookups through the agent: found, checked, asked once, kept, cut off; a plugin's failure is told by its name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from skep import (
    Agent,
    AmbiguousError,
    DeniedError,
    Lookup,
    NotFoundError,
    NotReadyError,
    Plugin,
    PluginError,
    PropertyError,
    SkepError,
    TemporaryError,
    Values,
)


class Asked:
    """A resolver that notes what it is asked, and answers when it is let."""

    def __init__(self, answer: Any = None, *, held: bool = False) -> None:
        self.properties: list[Mapping[str, Any]] = []
        self.answer = {"A": "1", "L": ["x"]} if answer is None else answer
        self.go = asyncio.Event()
        self.ended = 0
        if not held:
            self.go.set()

    async def __call__(self, properties: Mapping[str, str | list[str]]) -> Values:
        self.properties.append(properties)
        try:
            await self.go.wait()
        finally:
            self.ended += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return Values(self.answer, secret=["A"]) if isinstance(self.answer, dict) else self.answer


@asynccontextmanager
async def asking(resolve: Callable[..., Any], **options: Any) -> AsyncIterator[Agent]:
    class Brings(Plugin):
        def lookups(self) -> Mapping[str, Lookup]:
            return {"thing": Lookup(resolve=resolve, **options)}

    async with Agent(plugins=[Brings]) as agent:
        yield agent


async def test_values_and_which_are_secret_and_nobody_changes_anothers() -> None:
    asked = Asked()
    async with asking(asked) as agent:
        values = await agent.lookup("thing", {"Name": "x", "On": True, "Count": 5, "Many": ("a", False)})
        assert asked.properties == [{"Name": "x", "On": "true", "Count": "5", "Many": ["a", "false"]}]
        assert values == {"A": "1", "L": ["x"]}
        assert values.secret == {"A"}
        values["A"] = "changed"
        assert (await agent.lookup("thing", {"Name": "x", "On": True, "Count": 5, "Many": ("a", False)}))["A"] == "1"


@pytest.mark.parametrize(
    ("properties", "text"),
    [
        ({}, "lookup thing: Name is missing; it takes Name, Tag:*"),
        ({"Name": ""}, "Name is missing"),
        ({"Name": "x", "name": "y"}, "there is no property name; it takes Name, Tag:*"),
        ({"Name": None}, "property Name: expected a text, a number, true, false, or a list of these"),
        ({"Name": [["x"]]}, "property Name: expected a text"),
    ],
)
async def test_properties_are_checked_before_anything_is_asked(properties: dict[str, Any], text: str) -> None:
    asked = Asked()
    async with asking(asked, properties={"Name": "", "Tag:*": ""}, required=("Name",)) as agent:
        with pytest.raises(PropertyError) as caught:
            await agent.lookup("thing", properties)
        assert text in str(caught.value)
        assert not asked.properties
        await agent.lookup("thing", {"Name": "x", "Tag:a": "b"})


async def test_an_unknown_lookup_names_those_that_are_there() -> None:
    async with asking(Asked()) as agent:
        with pytest.raises(NotFoundError, match="there is no lookup 'none'; known are thing"):
            await agent.lookup("none", {})
    async with Agent() as agent:
        with pytest.raises(NotFoundError, match="known are none: no plugin that runs brings one"):
            await agent.lookup("none", {})


async def test_the_first_plugin_has_a_name_that_two_bring(caplog: pytest.LogCaptureFixture) -> None:
    def brings(called: str) -> Plugin:
        class Brings(Plugin):
            name = called

            def lookups(self) -> Mapping[str, Lookup]:
                return {"thing": Lookup(resolve=Asked({"By": called}))}

        return Brings()

    async with Agent(plugins=[brings("one"), brings("two")]) as agent:
        assert await agent.lookup("thing", {}) == {"By": "one"}
    assert "lookup thing of plugin two is that of plugin one already" in caplog.text


async def test_equal_questions_are_asked_once() -> None:
    asked = Asked(held=True)
    async with asking(asked) as agent:
        tasks = [asyncio.create_task(agent.lookup("thing", {"a": "1", "b": "2"}, max_age=0)) for _ in range(5)]
        tasks.append(asyncio.create_task(agent.lookup("thing", {"b": "2", "a": "1"}, max_age=0)))
        other = asyncio.create_task(agent.lookup("thing", {"a": "2"}))
        while len(asked.properties) < 2:
            await asyncio.sleep(0)
        asked.go.set()
        assert [await each for each in [*tasks, other]] == [{"A": "1", "L": ["x"]}] * 7
    assert len(asked.properties) == 2


async def test_the_last_who_leaves_ends_the_question() -> None:
    asked = Asked(held=True)
    async with asking(asked) as agent:
        one, two = (asyncio.create_task(agent.lookup("thing", {})) for _ in range(2))
        while not asked.properties:
            await asyncio.sleep(0)
        one.cancel()
        await asyncio.wait([one])
        assert asked.ended == 0
        two.cancel()
        await asyncio.wait([two])
        while not asked.ended:
            await asyncio.sleep(0)
        asked.go.set()
        assert await agent.lookup("thing", {}) == {"A": "1", "L": ["x"]}


async def test_answers_are_kept_as_long_as_the_lookup_or_who_asks_says() -> None:
    asked = Asked()
    async with asking(asked, max_age=1000) as agent:
        for max_age in (None, None, 500, 0):
            await agent.lookup("thing", {}, max_age=max_age)
    assert len(asked.properties) == 2


async def test_failures_are_not_kept_and_are_told_as_they_are() -> None:
    asked = Asked(NotReadyError("being made"))
    async with asking(asked) as agent:
        with pytest.raises(NotReadyError, match="being made"):
            await agent.lookup("thing", {})
        asked.answer = {"A": "2"}
        assert await agent.lookup("thing", {}) == {"A": "2"}


async def test_a_broken_lookup_is_told_by_its_plugins_name(caplog: pytest.LogCaptureFixture) -> None:
    asked = Asked(KeyError("oops"))
    async with asking(asked) as agent:
        with pytest.raises(PluginError, match="plugin brings: lookup thing failed: KeyError: 'oops'"):
            await agent.lookup("thing", {})
        asked.answer = ["no", "values"]
        with pytest.raises(PluginError, match="plugin brings: lookup thing: expected Values, got list"):
            await agent.lookup("thing", {})
    assert "plugin brings: lookup thing failed" in caplog.text


@pytest.mark.parametrize("limits", [{"timeout": 0.05}, {}])
async def test_no_answer_ends_at_the_deadline(limits: dict[str, float]) -> None:
    asked = Asked(held=True)
    async with asking(asked, timeout=limits.get("timeout", 60)) as agent:
        with pytest.raises(TemporaryError, match=r"lookup thing: no answer within 0\.05 s"):
            await agent.lookup("thing", {}, timeout=None if limits else 0.05)
        while not asked.ended:
            await asyncio.sleep(0)


async def test_an_agent_that_stops_ends_what_is_asked() -> None:
    asked = Asked(held=True)
    async with asking(asked) as agent:
        task = asyncio.create_task(agent.lookup("thing", {}))
        while not asked.properties:
            await asyncio.sleep(0)
    with pytest.raises(TemporaryError, match="the agent is stopping"):
        await task
    assert asked.ended == 1


async def test_answers_do_not_grow_without_end() -> None:
    asked = Asked()
    async with asking(asked, max_age=1000) as agent:
        for number in range(1001):
            await agent.lookup("thing", {"n": number})
        await agent.lookup("thing", {"n": 1000})
        assert len(asked.properties) == 1001
        await agent.lookup("thing", {"n": 0})
    assert len(asked.properties) == 1002


def test_the_policy_is_the_actions_by_what_they_are_on() -> None:
    lookup = Lookup(resolve=Asked(), actions={"ssm:Get": "arn:p", "ec2:B": "*", "ec2:A": "*"})
    assert lookup.policy() == {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["ec2:A", "ec2:B"], "Resource": "*"},
            {"Effect": "Allow", "Action": ["ssm:Get"], "Resource": "arn:p"},
        ],
    }


def test_the_policy_is_of_a_partition_of_aws() -> None:
    lookup = Lookup(resolve=Asked(), actions={"ssm:Get": "arn:aws:ssm:*:*:parameter/*", "ec2:A": "*"})
    policy: Any = lookup.policy("arn:aws-cn:iam::1:role/r", "aws-cn")
    resources = {each["Resource"] for each in policy["Statement"]}
    assert resources == {"*", "arn:aws-cn:ssm:*:*:parameter/*", "arn:aws-cn:iam::1:role/r"}
    assert lookup.policy(role="arn:r")["Statement"][-1:] == [  # type: ignore[index]
        {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": "arn:r"}
    ]


@pytest.mark.parametrize(
    ("failure", "result", "errors"),
    [
        (NotFoundError("no"), "not_found", 0),
        (AmbiguousError("two", ("a", "b")), "ambiguous", 0),
        (PropertyError("no"), "bad_property", 0),
        (NotReadyError("no"), "not_ready", 0),
        (DeniedError("no"), "denied", 1),
        (TemporaryError("no"), "temporary", 1),
        (ValueError("no"), "broken", 1),
    ],
)
async def test_questions_are_counted_by_how_they_ended(failure: Exception, result: str, errors: int) -> None:
    asked = Asked(failure)
    async with asking(asked) as agent:
        with pytest.raises(SkepError):
            await agent.lookup("thing", {})
        asked.answer = {"A": "2"}
        for _ in range(3):
            await agent.lookup("thing", {})
        assert agent.lookups.counts == {("thing", result): 1, ("thing", "success"): 1, ("thing", "kept"): 2}
        assert set(agent.lookups.seconds) == {"thing"}
        (row,) = [each for each in agent.plugins.report() if each["name"] == "brings"]
        counted = row["hooks"]["lookup thing"]
        assert (counted["calls"], counted["errors"], counted["timeouts"]) == (2, errors, 0)
        assert counted["seconds"] >= 0


async def test_questions_that_end_without_an_answer_are_counted() -> None:
    asked = Asked(held=True)
    async with asking(asked) as agent:
        with pytest.raises(TemporaryError):
            await agent.lookup("thing", {}, timeout=0.01)
        task = asyncio.create_task(agent.lookup("thing", {}))
        while len(asked.properties) < 2:
            await asyncio.sleep(0)
        task.cancel()
        while asked.ended < 2:
            await asyncio.sleep(0)
        await asyncio.wait([task])
        assert agent.lookups.counts == {("thing", "timeout"): 1, ("thing", "cancelled"): 1}
        with pytest.raises(NotFoundError):
            await agent.lookup("made-up", {})
        assert {name for name, _ in agent.lookups.counts} == {"thing"}
