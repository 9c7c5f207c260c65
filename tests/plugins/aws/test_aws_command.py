"""`skep lookup`: without an agent, as a table, as JSON, as an env file; secrets masked; policies and completion."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from skep.cli.main import cli

pytestmark = pytest.mark.usefixtures("blocking_allowed")
OUTPUTS = {"DbUrl": "postgres://h/db?a=b#c", "Name": '"quoted" $HOME'}


@pytest.fixture
def skep(moto: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `skep lookup …` against moto's server."""
    monkeypatch.setenv("SKEP_PLUGINS__AWS__ENDPOINT_URL", moto)
    monkeypatch.setenv("SKEP_PLUGINS__AWS__REGION", "eu-west-1")
    return lambda *words: CliRunner().invoke(cli, ["lookup", *words], prog_name="skep")


@pytest.fixture
def stack(client: Callable[..., Any]) -> None:
    made = {key: {"Value": value} for key, value in OUTPUTS.items()}
    body = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}}, "Outputs": made})
    client("cloudformation").create_stack(StackName="prod", TemplateBody=body)


@pytest.mark.usefixtures("stack")
def test_a_stack_as_a_table_as_json_and_as_an_env_file(skep: Callable[..., Result]) -> None:
    table = skep("stack", "StackName=prod").output.splitlines()
    assert table == ["ATTRIBUTE  VALUE", f"DbUrl      {OUTPUTS['DbUrl']}", f"Name       {OUTPUTS['Name']}"]
    assert json.loads(skep("stack", "StackName=prod", "--json").stdout) == OUTPUTS
    env = skep("stack", "StackName=prod", "KeyStyle=upper_snake", "--env").stdout
    assert env == f"DB_URL={OUTPUTS['DbUrl']}\nNAME={OUTPUTS['Name']}\n"


def test_what_an_env_file_cannot_hold_is_refused(skep: Callable[..., Result], client: Callable[..., Any]) -> None:
    client("ssm").put_parameter(Name="/app/key", Value="a\nb", Type="String")
    result = skep("ssm", "Name=/app/key", "--env")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "key holds a line's end, which an env file cannot" in result.stderr


def test_secrets_are_masked_in_the_table_alone(skep: Callable[..., Result], client: Callable[..., Any]) -> None:
    client("secretsmanager").create_secret(Name="db", SecretString='{"password": "hunter2"}')
    assert skep("secret", "SecretId=db").output.splitlines()[1] == "password   ********"
    assert skep("secret", "SecretId=db", "--show-secrets").output.splitlines()[1] == "password   hunter2"
    assert skep("secret", "SecretId=db", "--env").output == "password=hunter2\n"


def test_errors_are_one_line_with_what_to_do(skep: Callable[..., Result]) -> None:
    for words, text in (
        (["stack", "StackName=none"], "Error: lookup stack: there is no stack none\n"),
        (["stack", "Stack"], "'Stack': expected PROPERTY=VALUE; skep lookup stack lists its properties"),
        (["stack", "StackName=a", "StackName=b"], "StackName is given twice; write a list with commas"),
        (["stack", "StackNmae=a"], "StackName is missing"),
        (["nothing", "A=b"], "there is no lookup 'nothing'; known are certificate, elasticache"),
        (["stack", "StackName=a", "--json", "--env"], "--json and --env exclude each other"),
    ):
        result = skep(*words)
        assert result.exit_code != 0
        assert text in result.stderr
        assert result.stdout == ""


def test_all_lookups_one_of_them_and_its_policy(skep: Callable[..., Result]) -> None:
    listed = skep().output.splitlines()
    assert [line.split()[0] for line in listed[1:]] == [
        "certificate", "elasticache", "export", "image", "route53", "secret", "ssm", "stack", "vpc",
    ]  # fmt: skip
    told = skep("elasticache").output
    assert "CacheId (required)  The id of a cluster" in told
    assert "ReaderEndpoint" in told
    assert json.loads(skep("--json").stdout)["vpc"]["properties"]["VpcName"].startswith("Its tag Name")
    policy = json.loads(skep("--policy", "export").stdout)
    assert policy["Statement"] == [{"Effect": "Allow", "Action": ["cloudformation:ListExports"], "Resource": "*"}]


def test_the_plugins_of_a_settings_file(skep: Callable[..., Result], tmp_path: Path) -> None:
    own = "import skep\nasync def resolve(asked): return skep.Values({'Got': asked['Key']})\n"
    own += "@skep.hookimpl\ndef lookups(): return {'mine': skep.Lookup(resolve=resolve, help='Mine.')}\n"
    (tmp_path / "own.py").write_text(own)
    (tmp_path / "skep.toml").write_text(
        '[http]\nlisten = ["tcp://127.0.0.1:1"]\n[plugins.own]\npath = "own.py"\n[plugins.spread]\n'
    )
    config = ("-c", str(tmp_path / "skep.toml"), "--set", "plugins.aws.enabled=false")
    assert skep(*config, "mine", "Key=x").output == "ATTRIBUTE  VALUE\nGot        x\n"
    assert [line.split()[0] for line in skep(*config).output.splitlines()] == ["LOOKUP", "mine"]


def completed(words: str, start: str) -> list[str]:
    environ = {
        "_SKEP_COMPLETE": "bash_complete",
        "COMP_WORDS": f"{words} {start}",
        "COMP_CWORD": str(len(words.split())),
    }
    result = CliRunner().invoke(cli, [], prog_name="skep", env=environ)
    return [line.partition(",")[2] for line in result.output.splitlines() if line]


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_the_policy_of_a_partition(skep: Callable[..., Result], partition: str) -> None:
    policy = json.loads(skep("--policy", "ssm", "--partition", partition).output)
    assert [each["Resource"] for each in policy["Statement"]] == [f"arn:{partition}:ssm:*:*:parameter/*"]


def test_completion() -> None:
    assert completed("skep lookup", "s") == ["secret", "ssm", "stack"]
    assert completed("skep lookup stack", "Stack") == ["StackName="]
    assert completed("skep lookup image", "Tag") == ["Tag:"]
    assert completed("skep lookup nothing", "S") == []
