"""`make aws-demo`: what it prints works, every thing of the article is found, and Ctrl-C ends all of it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrib.aws_demo.world import OUTPUTS, QUESTIONS
from tests.contrib.aws_demo.running import Demo, demo, skep

NAMES = {
    "elasticache": ("Kind", "replication-group"),
    "image": ("Name", "docker-host-201508281029"),
    "route53": ("Name", "example.com"),
    "vpc": ("CidrBlock", "10.20.0.0/16"),
    "certificate": ("Status", "ISSUED"),
    "stack": ("WebUrl", OUTPUTS["WebUrl"]),
    "ssm": ("workers", "4"),
    "secret": ("username", "app"),
}


@pytest.fixture(scope="module")
def running() -> Iterator[Demo]:
    with demo() as started:
        yield started


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_every_thing_is_found_by_its_name(running: Demo, name: str) -> None:
    attribute, value = NAMES[name]
    found = json.loads(skep(running, "lookup", name, QUESTIONS[name], "--json").stdout)
    assert found[attribute] == value


def test_the_three_commands_that_it_prints_work(running: Demo) -> None:
    commands = re.findall(r"^  skep (.*)$", running.said, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert skep(running, *command.split()).stdout


def test_a_function_that_is_deployed_can_be_invoked(running: Demo) -> None:
    skep(running, "custom-resource", "deploy", "route53")
    answer = json.loads(skep(running, "custom-resource", "invoke", "route53", "DomainName=example.com").stdout)
    assert (answer["Status"], answer["Data"]["Name"]) == ("SUCCESS", "example.com")
    failed = skep(running, "custom-resource", "invoke", "route53", "DomainName=none.example", code=1)
    assert "there is no hosted zone none.example" in json.loads(failed.stdout)["Reason"]


def test_a_stack_asks_its_custom_resource(running: Demo) -> None:
    skep(running, "custom-resource", "deploy", "image")
    stack = ("custom-resource", "test-stack")
    up = skep(running, *stack, "up", "image", "ImageName=docker-host-201508281029")
    assert re.search("^ImageId +ami-", up.stdout, re.MULTILINE)
    skep(running, *stack, "down", "image")
    bad = skep(running, *stack, "up", "image", "ImageName=none", code=1)
    assert "is ROLLBACK_COMPLETE: image: there is no image none" in bad.stderr


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    with demo(TMPDIR=str(tmp_path)) as started:
        skep(started, "custom-resource", "deploy", "stack")
        assert list(tmp_path.iterdir())
        os.killpg(started.process.pid, signal.SIGINT)
        assert started.process.wait(20) == 0
        assert "Traceback" not in started.log.read_text()
    assert not list(tmp_path.iterdir())
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", started.port)) != 0


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "contrib.aws_demo", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"aws-demo: port {port}: Address already in use; --port 0 takes a free one\n"


def test_help() -> None:
    done = subprocess.run([sys.executable, "-m", "contrib.aws_demo", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: make aws-demo")
    assert tempfile.gettempdir() not in done.stdout
