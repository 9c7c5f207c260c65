"""Values that a container asks for at create: the grammar, who may ask what, and what becomes of the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from skep import (
    AmbiguousError,
    DeniedError,
    ExpressionError,
    Lookup,
    NotFoundError,
    NotReadyError,
    Plugin,
    RequestError,
    SettingsError,
    Values,
)
from skep.testing import EmbeddedEngine, wait_for
from skep_envfile.asked import Allowed
from skep_envfile.asked.entries import read_entry

ANSWERS: dict[str, Any] = {
    "prod": Values({"DbUrl": "db:5432", "list": ["a", "b"], "Token": "s3cret"}, secret=["Token"]),
    "other": Values({"DbUrl": "elsewhere"}),
    "lines": Values({"Cert": "one\ntwo"}),
    "nul": Values({"Cert": "one\0two"}),
    "long": Values({"Big": "x" * 140_000}),
    "alike": Values({"a-b": "1", "a.b": "2"}),
    "path": Values({"PATH": "/tmp"}),
    "gone": NotFoundError("there is no stack gone"),
    "two": AmbiguousError("several", ["a", "b"]),
    "denied": DeniedError("may not"),
    "soon": NotReadyError("it is being made"),
}


class Lookups(Plugin):
    """The lookup `stack`, with one property that is required, and `any`, with none."""

    name = "made_up"
    asked: list[Mapping[str, Any]]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asked = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def _resolve(self, properties: Mapping[str, Any]) -> Values:
        self.asked.append(dict(properties))
        await self.gate.wait()
        answer = ANSWERS.get(properties.get("StackName") or properties["Name"], Values({"A": "1"}))
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    def lookups(self) -> dict[str, Lookup]:
        stack = {"StackName": "", "Region": "", "Excludes": ""}
        return {
            "stack": Lookup(resolve=self._resolve, properties=stack, required=("StackName",), max_age=0.001),
            "any": Lookup(resolve=self._resolve, properties={"Name": "", "Path": ""}, max_age=0.001),
        }


class Asking:
    """An agent with an engine and the lookups."""

    def __init__(self, agent: Any, engine: EmbeddedEngine, lookups: Lookups) -> None:
        self.agent, self.engine, self.lookups = agent, engine, lookups

    async def create(self, *env: str, labels: Mapping[str, str] = {}, name: str = "") -> Any:
        """What the engine was asked for."""
        body = json.dumps({"Image": "busybox:latest", "Env": env, "Labels": labels}).encode()
        created = await self.agent.create_container(self.agent.request(body, name))
        return self.engine.state.containers[created.id].config

    async def env(self, *env: str) -> list[str]:
        """The environment that the engine was asked for, without the image's."""
        return [each for each in (await self.create(*env))["Env"] if not each.startswith("PATH=")]


@pytest.fixture
async def start(skep_agent: Any, embedded_engine: EmbeddedEngine, tmp_path: Any) -> Any:
    async def make(*ask: str) -> Asking:
        lookups = Lookups()
        settings = {"plugins": {"envfile": {"ask": ask, "state": f"{tmp_path}/state.json"}, "spread": {}}}
        agent = await skep_agent(plugins=[lookups], engines=[embedded_engine], settings=settings)
        return Asking(agent, embedded_engine, lookups)

    return make


async def test_an_entry_becomes_the_variables_and_is_kept_in_a_label(start: Any) -> None:
    asking = await start("stack")
    config = await asking.create("A=1", "from:stack==prod?region=eu-west-1&Excludes=X&excludes=Y")
    env = [each for each in config["Env"] if not each.startswith("PATH=")]
    assert env == ["A=1", "DbUrl=db:5432", "Token=s3cret", "list=a,b"]
    assert json.loads(config["Labels"]["skep.from"]) == ["stack==prod?region=eu-west-1&Excludes=X&excludes=Y"]
    assert json.loads(config["Labels"]["skep.from.variables"]) == ["DbUrl", "Token", "list"]
    assert asking.lookups.asked == [{"StackName": "prod", "Region": "eu-west-1", "Excludes": ["X", "Y"]}]
    assert "s3cret" not in json.dumps(config["Labels"])
    assert "s3cret" not in repr(next(iter(asking.agent.decisions)))


async def test_what_the_container_brings_itself_wins(start: Any) -> None:
    asking = await start("stack", "any")
    assert await asking.env("from:stack==prod", "DbUrl=mine", "Token") == ["DbUrl=mine", "Token", "list=a,b"]
    assert await asking.env("from:any==other") == ["DbUrl=elsewhere"]
    assert await asking.env("from:any==?name=other") == ["DbUrl=elsewhere"]
    assert await asking.env("from:stack==other", "from:stack==other") == ["DbUrl=elsewhere"]


async def test_made_again_from_its_labels_it_gets_the_values_of_then(start: Any) -> None:
    asking = await start("stack")
    labels = {"skep.from": '["stack==other"]', "skep.from.variables": '["DbUrl", "Gone"]'}
    config = await asking.create("DbUrl=old", "Gone=1", "A=1", labels=labels)
    assert [each for each in config["Env"] if not each.startswith("PATH=")] == ["A=1", "DbUrl=elsewhere"]
    with pytest.raises(RequestError, match=r"label skep.from.variables: expected a JSON list of names"):
        await asking.create(labels={**labels, "skep.from.variables": "{"})


@pytest.mark.parametrize(
    ("entries", "status", "told"),
    [
        (["stack==gone"], 400, "from:stack==gone: there is no stack gone"),
        (["stack==two"], 409, "several"),
        (["stack==denied"], 403, "may not"),
        (["stack==soon"], 503, "it is being made"),
        (["stack==prod", "stack==other"], 409, "from:stack==prod and from:stack==other both have a variable DbUrl"),
        (["stack==lines"], 400, "Cert holds a line's end"),
        (["stack==nul"], 400, "Cert holds a NUL"),
        (["stack==long"], 400, "Big takes 140004 bytes"),
        (["stack==alike"], 409, "a-b and a.b would both be the variable a_b"),
        (["stack==path"], 400, "PATH, which makes programs run other code"),
        (["stack==prod?Stackname=other"], 400, "StackName is given twice"),
        (["stack==prod?Colour=red"], 400, "there is no property Colour"),
        (["nothing==prod"], 400, "there is no lookup nothing; known are any, stack"),
    ],
)
async def test_what_cannot_be_had_is_refused_with_its_reason(
    start: Any, entries: list[str], status: int, told: str
) -> None:
    asking = await start("stack", "nothing")
    with pytest.raises(RequestError) as caught:
        await asking.create(*(f"from:{each}" for each in entries), name="web")
    assert (caught.value.status, told in str(caught.value)) == (status, True), str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert asking.engine.state.containers == {}


@pytest.mark.parametrize(
    ("ask", "entry", "fits"),
    [
        ("stack", "stack==prod?RoleArn=x", True),
        ("stack", "ssm==prod", False),
        ("ssm==/prod/web/*", "ssm==/prod/web/url", True),
        ("ssm==/prod/web/*", "ssm==/prod/%77eb/url", True),
        ("ssm==/prod/web/*", "ssm==/prod/db/url", False),
        ("ssm==/prod/web/*", "ssm==/prod/web/?Path=/prod/db", False),
        ("ssm==/prod/web/*", "ssm==/prod/web/%3FPath=/prod/db", True),
        ("ssm==/prod/web/*", "ssm==/prod/web/url,/prod/db/password", False),
        ("ssm==/prod/web/*", "ssm==/prod/web/url%2C/prod/db/password", False),
        ("ssm==/prod/web/*", "ssm==/prod/web/url,/prod/web/port", True),
        ("ssm==/prod/web/*", "ssm==/prod/web/", True),
        ("ssm==/prod/web/*", "ssm==/prod/", False),
        ("ssm==/a/*,/b/*", "ssm==/b/url,/a/url", True),
        ("ssm==/a/*,/b/*", "ssm==/b/url,/c/url", False),
        ("image==?Owners=self", "image==?Owners=self,123456789012", False),
        ("stack==prod-*?Region=eu-*", "stack==prod-a?region=eu-west-1", True),
        ("stack==prod-*?Region=eu-*", "stack==prod-a?region=us-east-1", False),
        ("stack==prod-*?Region=eu-*", "stack==prod-a?region=eu-west-1&RoleArn=x", False),
        ("stack==prod-*?Region=eu-*", "stack==prod-a", True),
    ],
)
def test_only_what_the_setting_allows_may_be_asked(ask: str, entry: str, fits: bool) -> None:
    allowed, asked = Allowed([ask]), read_entry(entry)
    if fits:
        allowed.check(asked)
        return
    with pytest.raises(DeniedError, match="the setting ask of the plugin envfile says what they may") as caught:
        allowed.check(asked)
    assert caught.value.status == 403


async def test_unless_the_settings_say_so_nothing_may_be_asked(start: Any) -> None:
    asking = await start()
    with pytest.raises(DeniedError, match=r'\(nothing\): ask = \["stack"\] allows all of it') as caught:
        await asking.create("from:stack==prod")
    assert caught.value.status == 403
    assert asking.lookups.asked == []


def test_a_setting_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="ask: invalid entry 'ssm=x'"):
        Allowed(["ssm=x"])


@pytest.mark.parametrize(
    ("text", "position", "expected"),
    [
        ("", 0, "the name of a lookup"),
        ("stack", 5, "=="),
        ("stack!=prod", 5, "=="),
        ("stack==", 7, "a value"),
        ("stack==?", 7, "a value"),
        ("stack==~prod", 7, "a value without ~"),
        ("stack==prod?", 12, "Property=value"),
        ("stack==prod?Region", 12, "Property=value"),
        ("stack==prod?Region=a&=b", 21, "Property=value"),
        ("stack==pr%4", 9, "two hexadecimal digits"),
        ("stack==a\nb", 8, "no control characters"),
        ("stack==" + "x" * 5000, 4096, "at most 4096"),
    ],
)
async def test_a_malformed_entry_is_refused_naming_the_place(
    start: Any, text: str, position: int, expected: str
) -> None:
    with pytest.raises(ExpressionError) as caught:
        read_entry(text)
    assert caught.value.position == position
    assert caught.value.expected.startswith(expected)
    asking = await start("stack")
    with pytest.raises(ExpressionError, match="environment entry 1"):
        asking.agent.request(json.dumps({"Image": "a", "Env": [f"from:{text}"]}).encode())


async def test_many_entries_are_refused_and_many_containers_wait_for_their_turn(start: Any) -> None:
    asking = await start("any")
    with pytest.raises(RequestError, match=r"33 entries from:…; expected at most 32 for one container"):
        await asking.create(*(f"from:any==other{number}" for number in range(33)))
    assert asking.lookups.asked == []
    asking.lookups.gate = asyncio.Event()
    names = [f"from:any==n{number}" for number in range(20)]
    creating = [asyncio.create_task(asking.create(name)) for name in names]
    await wait_for(lambda: len(asking.lookups.asked) == 8)
    await asyncio.sleep(0)
    assert len(asking.lookups.asked) == 8
    asking.lookups.gate.set()
    await asyncio.gather(*creating)
    assert len(asking.lookups.asked) == 20


async def test_explaining_asks_nothing(start: Any) -> None:
    asking = await start("stack")
    request = asking.agent.request(b'{"Image": "busybox", "Env": ["from:stack==prod"]}')
    assert asking.agent.scheduler.place(request, wide=True).node.name == "node1"
    assert asking.lookups.asked == []
