"""Flags that are wrong: named, with exit status 2, before anything starts."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from skep.cli import cli

MANAGE = [
    ("", "discovery required to manage a cluster"),
    ("nodes://a:1 --heartbeat 500ms", "--heartbeat should be at least one second"),
    ("nodes://a:1 --heartbeat soon", "'soon' is not a duration"),
    ("nodes://a:1 --strategy densest", "strategy 'densest' not supported; there are spread, binpack, random"),
    ("nodes://a:1 --filter nonsense", "filter 'nonsense' not supported; there are health, port, slots,"),
    ("nodes://a:1 --plugin nonsense", "plugin 'nonsense' not supported; installed plugins are"),
    ("nodes://a:1 --replication", "--replication is not there yet"),
    ("nodes://a:1 --cors", "--api-enable-cors is not supported"),
    ("nodes://a:1 --cluster-driver mesos", "unsupported cluster 'mesos'"),
    ("nodes://a:1 --cluster-opt swarm.overcommit=-2", "swarm.overcommit should be larger than -1"),
    ("nodes://a:1 --cluster-opt swarm.overcommit=lots", "'lots' is not a number"),
    ("nodes://a:1 --cluster-opt swarm.overcommit=nan", "larger than -1"),
    ("nodes://a:1 --cluster-opt overcommit", "expected key=value"),
    ("nodes://a:1 --cluster-opt swarm.createretry=-1", "swarm.createretry should be 0 to 100, -1 is invalid"),
    ("nodes://a:1 --cluster-opt swarm.createretry=1.5", "swarm.createretry should be 0 to 100"),
    ("nodes://a:1 --cluster-opt x=1", "unknown --cluster-opt x"),
    ("nodes://a:1 --discovery-opt x", "expected key=value"),
    ("nodes://a:1 --tls", "--tlscert and --tlskey must be provided when using --tls"),
    ("nodes://a:1 --tlsverify --tlscert c --tlskey k", "--tlscacert must be provided when using --tlsverify"),
    ("nodes://a:1 --tlscert c", "require the use of either --tls or --tlsverify"),
    ("nodes://a:1 --engine-refresh-min-interval 0", "min-interval should be a positive number"),
    ("nodes://a:1 --engine-refresh-max-interval 5s", "max-interval cannot be less than"),
    ("nodes://a:1 --engine-failure-retry 0", "--engine-failure-retry should be a positive number"),
]
JOIN = [
    ("", "discovery required to join a cluster"),
    ("token://h:1/t", "missing mandatory --advertise flag"),
    ("token://h:1/t --advertise h", "--advertise should be of the form ip:port or hostname:port"),
    ("token://h:1/t --advertise h:0", "--advertise should be of the form"),
    ("token://h:1/t --advertise h:70000", "--advertise should be of the form"),
    ("token://h:1/t --advertise :1.1.1.1:1", "--advertise should be of the form"),
    ("token://h:1/t --advertise h:1 --heartbeat 1ms", "--heartbeat should be at least one second"),
    (
        "token://h:1/t --advertise h:1 --heartbeat 60s --ttl 60s",
        "--ttl must be strictly superior to the heartbeat value",
    ),
    ("token://h:1/t --advertise h:1 --delay -1s", "--delay should not be a negative number"),
]
LIST = [
    ("", "discovery required to list a cluster"),
    ("nodes://a:1 --timeout 0s", "--timeout should be a positive number"),
]
OTHER = [
    ("run", "no settings file is named"),
    ("explain -- --gpu all x", "docker run has no flag --gpu; did you mean --gpus?"),
    ("config reference nonsense", "plugin 'nonsense' is not installed"),
    ("nonsense", "No such command 'nonsense'."),
    ("nodess", "No such command 'nodess'. Did you mean nodes?"),
    ("create extra", "unexpected extra argument"),
    ("completion tcsh", "tcsh"),
]
CASES = [
    *(
        (f"{alias} {text}", words)
        for alias, cases in (("m", MANAGE), ("j", JOIN), ("l", LIST))
        for text, words in cases
    ),
    *OTHER,
]


@pytest.mark.parametrize(("arguments", "words"), CASES)
def test_wrong_flags_are_named(arguments: str, words: str) -> None:
    result = CliRunner(env={"SWARM_DISCOVERY": None, "SWARM_ADVERTISE": None}).invoke(cli, arguments.split())
    assert result.exit_code == 2, result.output
    assert words in " ".join(result.output.split())
    assert "Traceback" not in result.output


FAILURES = [
    ("list abcdef", "Is another scheme missing, such as token://?"),
    ("list etcd://h:1/x", "no installed plugin finds engines by etcd://; known are file://, nodes://, token://"),
    ("list file:///nowhere/at/all", "cannot read /nowhere/at/all"),
    ("list nodes://a:[3:1]", "is empty"),
    ("join nodes://a:1 --advertise b:1", "nodes:// is a fixed list"),
    ("manage etcd://h:1/x", "no enabled plugin knows etcd://: "),
    ("manage nodes://a:1 --tls --tlscert /nowhere/c --tlskey /nowhere/k", "/nowhere/"),
    ("nodes -A unix:///nowhere/at/all", "no agent answers (unix:///nowhere/at/all: No such file or directory)"),
    (
        "create --service http://127.0.0.1:1",
        "(http://127.0.0.1:1: Connection refused); start one: skep discovery-service",
    ),
    ("nodes -A ftp://x", "expected unix:///path, tcp://host:port"),
    ("run -c /nowhere/at/all", "cannot read the settings file /nowhere/at/all"),
]


@pytest.mark.parametrize(("arguments", "words"), FAILURES)
def test_what_fails_says_so_in_a_line(arguments: str, words: str) -> None:
    result = CliRunner(env={"SKEP_AGENT": None}).invoke(cli, arguments.split())
    assert result.exit_code == 1, result.output
    assert words in result.output
    assert result.output.count("\n") == 1 or "file or directory" in result.output
    assert "Traceback" not in result.output


def test_a_list_is_printed_an_address_a_line() -> None:
    result = CliRunner().invoke(cli, ["list", "nodes://10.0.0.[1:2]:2375,[::1]:1"])
    assert result.output.split() == ["10.0.0.1:2375", "10.0.0.2:2375", "[::1]:1"]


def test_discovery_may_come_from_the_environment() -> None:
    result = CliRunner(env={"SWARM_DISCOVERY": "nodes://a:1"}).invoke(cli, ["list"])
    assert result.output == "a:1\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script(shell: str) -> None:
    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0
    assert "_SKEP_COMPLETE" in result.output
