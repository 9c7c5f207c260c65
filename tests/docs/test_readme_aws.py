"""The README's commands for AWS, pasted against `make aws-demo`."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrib.aws_demo.world import OUTPUTS
from contrib.lab import Host
from tests.docs.readme import README, ROOT, answers, clean_environ, run, sections, session

COMMANDS = sections(README.read_text())["AWS"]
START = COMMANDS[0]
EXPORTS = [command for command in COMMANDS if command.startswith("export ")]
SAID = [
    ("skep lookup", r"^stack +StackName +The outputs"),
    ("skep lookup elasticache", r"^Url +redis://"),
    ("skep lookup vpc", r"^PublicSubnetIds +subnet-\w+,subnet-\w+$"),
    ("docker run", rf"^DATABASE_URL={re.escape(OUTPUTS['DatabaseUrl'])}$"),
    ("docker run", rf"^GREETING={OUTPUTS['Greeting']}$"),
    ("skep custom-resource deploy", r"^arn:aws:lambda:us-east-1:123456789012:function:imageDependency$"),
    ("skep custom-resource invoke", r'^  "Status": "SUCCESS"'),
    ("skep custom-resource test-stack up", r"^ImageId +ami-"),
    ("skep custom-resource test-stack down", r"^  image-dependency-test-stack is gone$"),
]
"""What commands print, as expressions."""


@pytest.fixture
def demonstration(tmp_path: Path) -> Iterator[Path]:
    """What `make aws-demo` says, while it runs; the files of this checkout are as before then."""
    log = tmp_path / "demo.log"
    make = ["make", "-o", "setup", START.split()[1], f"BIN={Path(sys.executable).parent}"]
    with log.open("w") as out, session(make, clean_environ(), out) as running:
        end = time.monotonic() + 60
        while "Try there:" not in log.read_text():
            assert running.poll() is None, f"port 5555, which the README uses, must be free here:\n{log.read_text()}"
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        try:
            yield log
        finally:
            (ROOT / "prod.env").unlink(missing_ok=True)
        os.killpg(running.pid, signal.SIGINT)
        running.wait(20)
    assert "***" not in log.read_text()


@pytest.mark.engine
@pytest.mark.timeout(180)
def test_the_commands_work_as_pasted(demonstration: Path, engine: Host, tmp_path: Path) -> None:
    said = [line.strip() for line in demonstration.read_text().splitlines()]
    assert [line for line in said if line.startswith("export")] == EXPORTS
    plain = {key: value for key, value in clean_environ().items() if not key.startswith("AWS_")}
    commands = [command for command in COMMANDS if command != START]
    done = run(commands, plain | {"DOCKER_HOST": engine.url}, tmp_path)
    assert [each.command for each in done] == commands, done[-1]
    for command, words in SAID:
        outputs = [each.output for each in done if each.command.startswith(command)]
        assert re.search(words, "\n".join(outputs), re.MULTILINE), f"{command}\n{outputs}"
    shown = answers(README.read_text(), "AWS")
    assert len(shown) == 1
    for command, output in shown.items():
        (real,) = [each.output for each in done if each.command == command]
        assert output.strip() in real, f"{command}: the README shows another answer\n{real}"
    assert not (ROOT / "prod.env").exists()
