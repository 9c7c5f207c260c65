"""Which values are taken, and how their variables are called."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from skep import ConflictError, RequestError, SettingsError, Values, parse_plugin_settings, parse_settings
from skep_envfile import EnvFileSettings
from skep_envfile.rounds import Round
from skep_envfile.settings import FileSettings, SelectSettings, SourceSettings
from skep_envfile.values import Gathered, merge, select

ANSWER = Values({"DbUrl": "u", "DbPort": "5", "Zones": ["a", "b"], "9lives": "x", "a.b": "y"}, secret={"DbUrl"})


@pytest.mark.parametrize(
    ("rules", "values"),
    [
        ({}, {"DbPort": "5", "DbUrl": "u", "Zones": "a,b", "_9lives": "x", "a_b": "y"}),
        ({"include": ("Db*",)}, {"DbPort": "5", "DbUrl": "u"}),
        ({"include": ("Db*",), "exclude": ("*Port",)}, {"DbUrl": "u"}),
        ({"include": ("db*",)}, {}),
        ({"include": ("Db*",), "rename": {"DbUrl": "URL"}, "prefix": "X_"}, {"URL": "u", "X_DbPort": "5"}),
        ({"include": ("9*",), "prefix": "N"}, {"N9lives": "x"}),
        ({"include": ("Db*", "a.b"), "case": "upper_snake"}, {"A_B": "y", "DB_PORT": "5", "DB_URL": "u"}),
    ],
)
def test_rules_of_a_source(rules: dict[str, Any], values: dict[str, str]) -> None:
    found = select(SourceSettings(lookup="stack", **rules), ANSWER, "stack")
    assert found.values == values
    assert list(found.values) == sorted(values)
    assert found.secret == {"DbUrl", "DB_URL", "URL"} & set(values)


@pytest.mark.parametrize(("key", "name"), [("HTTPServerURL", "HTTP_SERVER_URL"), ("dbUrl2", "DB_URL2"), ("A", "A")])
def test_upper_snake(key: str, name: str) -> None:
    found = select(SourceSettings(lookup="x", case="upper_snake"), Values({key: "1"}))
    assert list(found.values) == [name]


def test_two_of_one_name_are_refused_and_both_named() -> None:
    with pytest.raises(ConflictError, match=r"stack: a\.b and stack: a_b would both be the variable a_b"):
        select(SelectSettings(), Values({"a.b": "1", "a_b": "2"}), "stack")
    with pytest.raises(ConflictError, match="A and B would both be the variable B"):
        select(SelectSettings(rename={"A": "B"}), Values({"A": "1", "B": "2"}))


@pytest.mark.parametrize(
    ("rules", "values"),
    [
        ({"include": ("PATH",)}, {"PATH": "x"}),
        ({"rename": {"PATH": "MY_PATH"}}, {"MY_PATH": "x"}),
        ({"rename": {"PATH": "PATH"}}, {"PATH": "x"}),
        ({"prefix": "A_"}, {"A_PATH": "x"}),
        ({"exclude": ("P*",)}, {}),
    ],
)
def test_a_name_that_makes_programs_run_other_code_must_be_said_in_full(
    rules: dict[str, Any], values: dict[str, str]
) -> None:
    for each in (SelectSettings(), SelectSettings(include=("PA*",))):
        with pytest.raises(RequestError, match="PATH, which makes programs run other code"):
            select(each, Values({"PATH": "x"}))
    assert select(SelectSettings(**rules), Values({"PATH": "x"})).values == values


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "NODE_OPTIONS", "PYTHONWARNINGS", "GIT_SSH_COMMAND", "DOTNET_STARTUP_HOOKS"]
)
def test_names_that_make_programs_run_other_code(name: str) -> None:
    with pytest.raises(RequestError, match=f"{name}, which makes programs run other code"):
        select(SelectSettings(), Values({name: "x"}))


async def test_what_a_source_says_in_full_need_not_be_said_again_for_the_file() -> None:
    async def ask(name: str, properties: Any) -> Values:
        return Values({"PATH": "/app", "PRELOAD": "x"})

    async def gathered(source: dict[str, Any], **own: Any) -> dict[str, str]:
        table = {"path": "/x/prod.env", "sources": [{"lookup": "made", **source}], **own}
        async with Round(ask, asyncio.Semaphore(1)) as questions:
            return dict((await questions.gather(msgspec.convert(table, FileSettings))).values)

    assert await gathered({"include": ["PATH"]}) == {"PATH": "/app"}
    assert await gathered({"include": ["PRELOAD"], "rename": {"PRELOAD": "LD_PRELOAD"}}) == {"LD_PRELOAD": "x"}
    with pytest.raises(RequestError, match="LD_PRELOAD, which makes programs run other code"):
        await gathered({"include": ["PRELOAD"]}, prefix="LD_")


def test_a_rename_of_nothing_is_a_warning() -> None:
    assert select(SelectSettings(rename={"Gone": "G"}), Values({"A": "1"})).warnings == ("there is no Gone to rename",)


def test_sources_with_one_name_by_policy() -> None:
    first = Gathered({"A": "1", "B": "1"}, frozenset({"A"}), origins={"A": "stack: A"})
    second = Gathered({"A": "2"}, origins={"A": "ssm: a"})
    with pytest.raises(ConflictError, match="stack: A and ssm: a would both be the variable A"):
        merge([first, second])
    assert merge([first, second], "first").values == {"A": "1", "B": "1"}
    last = merge([first, second], "last")
    assert (dict(last.values), last.secret) == ({"A": "2", "B": "1"}, frozenset())
    assert merge([first, second], "first").secret == frozenset({"A"})


GOOD = {"path": "/x/prod.env", "sources": [{"lookup": "stack", "properties": {"StackName": "prod"}}]}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"path": "x.env"}, "path: expected an absolute path"),
        ({"path": "/x/../y"}, "path: expected an absolute path"),
        ({"path": "/"}, "path: expected an absolute path"),
        ({"mode": "rw"}, 'mode: expected three octal digits such as "0600"'),
        ({"mode": "4755"}, "mode: expected three octal digits"),
        ({"owner": "a b"}, "owner: expected user, user:group or :group"),
        ({"format": "toml"}, 'expected one of "docker", "compose", "systemd", "shell", "json", got "toml"'),
        ({"on_multiline": "escape"}, 'on_multiline: the format "docker" has no escapes'),
        ({"sources": []}, "expected a list of"),
        ({"sources": [{"lookup": ""}]}, "lookup: expected the name of a lookup"),
        ({"sources": [{"lookup": "x", "region": "a", "properties": {"Region": "b"}}]}, "region and properties.Region"),
        ({"sources": [{"lookup": "x", "rename": {"A": "1B"}}]}, "rename: A: expected a name of letters"),
        ({"prefix": "a-"}, "prefix: expected letters, digits and _"),
        ({"interval": 0}, "expected seconds"),
        ({"wrong": 1}, "unknown key"),
    ],
)
def test_wrong_settings_are_refused_by_key_and_with_what_would_be_right(change: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read({"files": {"prod": GOOD | change}})
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"files": {"a": GOOD, "b": GOOD}}, "a and b have one path, /x/prod.env"),
        ({"files": {"a": GOOD, "b": {**GOOD, "path": "//x/./prod.env"}}}, "a and b have one path, /x/prod.env"),
        ({"files": {"a b": GOOD}}, "files: expected names of letters"),
        ({"state": "x"}, "state: expected an absolute path"),
    ],
)
def test_wrong_tables_are_refused(table: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(table)
    assert text in str(caught.value)


def read(table: dict[str, Any]) -> EnvFileSettings:
    settings = parse_settings({"plugins": {"envfile": table}})
    made = parse_plugin_settings(EnvFileSettings, settings.plugins["envfile"], "envfile", "test")
    assert isinstance(made, EnvFileSettings)
    return made


def test_region_and_role_are_properties() -> None:
    source = SourceSettings(lookup="stack", properties={"StackName": "prod"}, region="eu-west-1", role="arn:x")
    assert source.asked == {"StackName": "prod", "Region": "eu-west-1", "RoleArn": "arn:x"}
    assert FileSettings(path="/x", sources=(source,), mode="640").mode_bits == 0o640
