"""The demonstration of AWS as a process of its own, and skep's commands asked against it as a user would."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Demo", "demo", "skep"]

SKEP = Path(sys.executable).with_name("skep")


@dataclass
class Demo:
    """It is up. `environ` is what it says to export, over this environment without any AWS of its own."""

    process: subprocess.Popen[bytes]
    log: Path
    said: str
    environ: dict[str, str]

    @property
    def url(self) -> str:
        return self.environ["AWS_ENDPOINT_URL"]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@contextmanager
def demo(*flags: str, **environ: str) -> Iterator[Demo]:
    """Started on a free port, ready, and ended with the block."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "SKEP_"))}
    none = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as output:
            command = [sys.executable, "-m", "contrib.aws_demo", "--port", "0", *flags]
            process = subprocess.Popen(
                command, env=plain | environ, stdout=output, stderr=output, start_new_session=True
            )
        try:
            said = _ready(process, log)
            exports = dict(re.findall(r"(AWS_\w+)=(\S+)", said))
            yield Demo(process, log, said, plain | none | exports)
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """By Ctrl-C; whatever does not heed that is killed."""
    try:
        process.send_signal(signal.SIGINT)
        process.wait(20)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


def _ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + 60
    while "Try there:" not in (said := log.read_text()) or not said.endswith("\n"):
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return said


def skep(demo: Demo, *arguments: str, code: int = 0, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run the command; its exit status must be `code`."""
    done = subprocess.run([SKEP, *arguments], env=demo.environ, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == code, f"skep {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done
