"""Long-running commands: signals, systemd, logs."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, contextlib, logging
from skep import run_service

@contextlib.asynccontextmanager
async def opened():
    print("opening", flush=True)
    {opening}
    yield 1
    print("closing", flush=True)
    {closing}
    print("closed", flush=True)

async def wait(thing):
    {wait}

run_service(opened, started=lambda thing: print("started", thing, flush=True), wait=wait, log_format="{format}")
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def run(
        *,
        opening: str = "",
        closing: str = "",
        wait: str = "await asyncio.Event().wait()",
        log: str = "text",
        **environ: str,
    ) -> subprocess.Popen[str]:
        program = PROGRAM.format(opening=opening or "pass", closing=closing or "pass", wait=wait, format=log)
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environ},
        )  # fmt: skip
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that it prints, within a time; nothing behind it is read."""
    assert process.stdout is not None
    read = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not read.endswith(b"\n"):
            assert selector.select(20), "it prints nothing"
            read += os.read(process.stdout.fileno(), 1) or b"(end)\n"
    return read.decode().strip()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(start: Start, number: signal.Signals) -> None:
    process = start()
    assert [line(process), line(process)] == ["opening", "started 1"]
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert out.split() == ["closing", "closed"]
    assert f"{number.name}: stopping" in err
    assert process.returncode == 0


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    process = start(closing="await asyncio.sleep(600)")
    assert [line(process), line(process)] == ["opening", "started 1"]
    process.terminate()
    assert line(process) == "closing"
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert (out, process.returncode) == ("", 130)
    assert "again: ending at once" in err


def test_a_signal_while_it_starts_cancels_that(start: Start) -> None:
    process = start(opening="await asyncio.sleep(600)")
    assert line(process) == "opening"
    process.terminate()
    out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == ("", 130)


def test_it_ends_when_its_thing_ends(start: Start) -> None:
    out, _ = start(wait="return").communicate(timeout=20)
    assert out.split()[-1] == "closed"


def test_systemd_is_told(start: Start, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        process = start(NOTIFY_SOCKET=str(tmp_path / "notify"))
        assert listener.recv(100) == b"READY=1"
        process.terminate()
        assert listener.recv(100) == b"STOPPING=1"


def test_logs_as_json_lines(start: Start) -> None:
    process = start(opening="logging.getLogger('x').warning('two\\nlines %s', 1)", log="json", wait="return")
    _, err = process.communicate(timeout=20)
    entry = json.loads(err.splitlines()[0])
    assert {key: entry[key] for key in ("level", "logger", "message")} == {
        "level": "warning",
        "logger": "x",
        "message": "two\nlines 1",
    }


def test_a_logged_text_cannot_forge_a_line(start: Start) -> None:
    process = start(opening="logging.getLogger('x').warning('two\\nlines \\x1b[31m')", wait="return")
    _, err = process.communicate(timeout=20)
    assert "two\\nlines \\x1b[31m" in err


@pytest.mark.parametrize(("flags", "told"), [(["--debug"], True), (["-l", "info"], True), (["-l", "error"], False)])
def test_skeps_own_flag_says_what_is_logged(tmp_path: Path, flags: list[str], told: bool) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(20)
        command = [sys.executable, "-m", "skep", *flags, "join", "--advertise", "a:1", "token://127.0.0.1:1/v1/abc"]
        environ = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environ) as process:
            assert listener.recv(100) == b"READY=1"
            process.terminate()
            _, err = process.communicate(timeout=20)
    assert ("SIGTERM: stopping" in err) is told
    assert process.returncode == 0
