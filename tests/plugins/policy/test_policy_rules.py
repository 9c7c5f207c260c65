"""Rules: their settings, who they are for, what is learned, and the commands."""

from __future__ import annotations

import io
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from skep import Client, SettingsError, parse_settings
from skep.settings import parse_plugin_settings
from skep_policy import PolicySettings, Rule
from skep_policy.commands import policy
from skep_policy.operations import OPERATIONS, SETS, operation_of


def parsed(rules: dict[str, Any]) -> PolicySettings:
    table = parse_settings({"plugins": {"policy": {"rules": rules}}}).plugins["policy"]
    found = parse_plugin_settings(PolicySettings, table, "policy", "test")
    assert isinstance(found, PolicySettings)
    return found


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"clients": []}, "clients"),
        ({"clients": ["uid:x"]}, "expected a number"),
        ({"clients": ["ip:10.0.0.1/8"]}, "host bits"),
        ({"allow": ["everything"]}, "'everything' is none of"),
        ({"profile": "lax"}, "profile"),
        ({"owner": "tenant"}, "owner"),
        ({"binds": ["/srv/../etc"]}, "binds"),
        ({"ports": ["99999"]}, "ports"),
        ({"user": "0"}, "user"),
        ({"user": "app"}, "user"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_wrong_rules_are_named(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        parsed({"a": {"clients": ["x"], **wrong}})


@pytest.mark.parametrize(
    ("pattern", "client", "fits"),
    [
        ("alice", Client(name="alice"), True),
        ("alice", Client(name="Alice"), False),
        ("ci-*", Client(name="ci-7"), True),
        ("*", Client(name="x"), True),
        ("*", Client(uid=0), False),
        ("*", Client(address="10.0.0.1"), False),
        ("spiffe://prod/*", Client(name="x", uris=("spiffe://prod/a",)), True),
        ("spiffe://prod/*", Client(name="spiffe://prod/a"), False),
        ("uid:0", Client(uid=0), True),
        ("uid:0", Client(name="uid:0"), False),
        ("*", Client(name="uid:0"), False),
        ("gid:5", Client(uid=1, gid=5), True),
        ("ip:10.0.0.0/8", Client(address="10.1.2.3"), True),
        ("ip:10.0.0.0/8", Client(address="11.1.2.3"), False),
        ("ip:fe80::/10", Client(address="fe80::1%eth0"), True),
        ("ip:10.0.0.0/8", Client(uid=0), False),
    ],
)
def test_whom_a_rule_is_for(pattern: str, client: Client, fits: bool) -> None:
    assert Rule(clients=(pattern,)).is_for(client) is fits


def test_each_operation_is_in_a_set_that_is_not_all() -> None:
    left = set(OPERATIONS) - SETS["run"] - SETS["build"]
    assert left == {
        "system.df",
        "system.auth",
        "image.search",
        "image.distribution",
        "image.prune",
        "image.build-prune",
        "image.buildkit",
    }
    assert SETS["read-only"] < SETS["operate"] < SETS["run"]
    assert not SETS["read-only"] & {
        "container.logs",
        "container.read",
        "container.export",
        "container.attach",
        "container.top",
    }


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/containers/x/json", "container.inspect"),
        ("POST", "/containers/x/json", "unknown"),
        ("GET", "/containers/x/attach/ws", "container.attach"),
        ("GET", "/containers/x/y/z", "unknown"),
        ("HEAD", "/containers/x/archive", "container.read"),
        ("GET", "/images/a/b/json", "image.inspect"),
        ("GET", "/images/get", "image.save"),
        ("PATCH", "/containers/json", "unknown"),
    ],
)
def test_operations(method: str, path: str, operation: str) -> None:
    assert operation_of(method, path) == operation


async def test_learning_writes_the_smallest_rules(serving: Any) -> None:
    """And these allow what was asked, and nothing wider."""
    async with serving("n1", rules={}, mode="learn") as served:
        host = {
            "Binds": ["/srv/a:/a", "/srv/b:/b:ro"],
            "PortBindings": {"80/tcp": [{"HostPort": "8080"}]},
            "CapDrop": ["ALL"],
        }
        asked: list[tuple[str, str, Any]] = [
            (
                "POST",
                "/containers/create?name=web",
                {"Image": "redis", "Cmd": ["x"], "User": "1000", "HostConfig": host},
            ),
            ("POST", "/containers/web/start", None),
            ("GET", "/containers/web/logs?stdout=1", None),
        ]
        for method, path, body in asked:
            status, told = await served.call(method, path, json=body) if body else await served.call(method, path)
            assert status < 300, told
            await served.known(1)
        assert (await served.create({"Privileged": True}, by="127.0.0.2"))[0] == 201
        text = served.policy.learner.toml()
    rules = tomllib.loads(text)["plugins"]["policy"]["rules"]
    assert rules["ip_127_0_0_1"] == {
        "clients": ["ip:127.0.0.1"],
        "allow": ["container.create", "container.logs", "container.start"],
        "profile": "restricted",
        "binds": ["/srv/a", "/srv/b:ro"],
        "ports": ["8080"],
        "images": ["docker.io/library/redis:latest"],
    }
    assert rules["ip_127_0_0_2"]["profile"] == "privileged"
    async with serving("n1", rules=rules) as served:
        for method, path, body in asked:
            status, told = await served.call(method, path, json=body) if body else await served.call(method, path)
            assert status < 300, told
            await served.known(1)
        assert (await served.create({"Binds": ["/srv/c:/c"]}))[0] == 403
        assert (await served.create(Image="busybox"))[0] == 403


FILE = """
[plugins.policy.rules.ci]
clients = ["ci-*"]
allow = ["run"]
binds = ["/srv/cache"]
"""


@pytest.mark.parametrize(
    ("client", "call", "body", "code", "told"),
    [
        ("ci-7", "POST /containers/create", '{"Image": "redis"}', 0, "allowed: rule ci allows container.create"),
        (
            "ci-7",
            "POST /containers/create",
            '{"Image": "redis", "HostConfig": {"privileged": true}}',
            1,
            "HostConfig.Privileged is not allowed",
        ),
        (
            "ci-7",
            "POST /containers/create",
            '{"Image": "redis", "HostConfig": {"Binds": ["/x:/x"]}}',
            1,
            "would be allowed by binds = ['/x']",
        ),
        ("ci-7", "GET /system/df", "", 1, "would be allowed by allow = ['system.df']"),
        ("ci-7", "GET /contaners/json", "", 1, "GET /contaners/json is no known call of the Docker API"),
        ("bob", "GET /info", "", 1, "there is no rule for bob"),
    ],
)
def test_explain(tmp_path: Path, client: str, call: str, body: str, code: int, told: str) -> None:
    (tmp_path / "skep.toml").write_text(FILE)
    arguments = ["explain", "-c", str(tmp_path / "skep.toml"), "--as", client, *call.split()]
    done = CliRunner().invoke(policy, arguments, input=io.BytesIO(body.encode()))
    assert (done.exit_code, told in done.output) == (code, True), done.output


def test_check_lists_the_rules(tmp_path: Path) -> None:
    (tmp_path / "skep.toml").write_text(FILE)
    done = CliRunner().invoke(policy, ["check", "-c", str(tmp_path / "skep.toml")])
    assert done.exit_code == 0
    assert "ci-*" in done.output
    assert "restricted" in done.output
