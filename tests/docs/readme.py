"""The README's commands, and one bash session that runs some of them as a user would paste them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_MARK = "@@ command"


def sections(text: str) -> dict[str, list[str]]:
    """The commands of each section: what stands four spaces in, outside of fences, a whole shell command each."""
    found: dict[str, list[str]] = {}
    for part in re.split(
        r"^## ", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL), flags=re.MULTILINE
    ):
        title, _, body = part.partition("\n")
        blocks = re.findall(r"(?:^    .*\n)+", body, re.MULTILINE)
        found[title] = [command for block in blocks for command in _commands(re.sub(r"^    ", "", block, flags=re.M))]
    return found


def answers(text: str, *titles: str) -> dict[str, str]:
    """What is shown of commands' answers in these sections."""
    parts = dict(part.partition("\n")[::2] for part in re.split(r"^## ", text, flags=re.MULTILINE))
    found = (re.findall(r"^\$ (.*)\n((?:(?!\$ |```).*\n)+)", parts[title], re.MULTILINE) for title in titles)
    return dict(pair for pairs in found for pair in pairs)


def _commands(block: str) -> Iterator[str]:
    command = ""
    for line in block.splitlines():
        command = f"{command}\n{line}".strip("\n")
        if (
            not command.endswith("\\")
            and subprocess.run(["bash", "-n"], input=command.encode(), capture_output=True).returncode == 0
        ):
            yield command
            command = ""
    assert not command, f"bash does not understand:\n{command}"


@dataclass(frozen=True)
class Done:
    """A command that was run: what it printed, and its exit code."""

    command: str
    code: int
    output: str


def run(
    commands: list[str], environ: Mapping[str, str], folder: Path, *, fails: str = "", seconds: float = 100
) -> list[Done]:
    """Run commands in one session of bash, in the checkout, until one fails; `fails` is one that must.

    What is said in the background goes to `background.log`: in between it would tear the others' tables.
    """
    script, log = folder / "session.sh", folder / "session.log"
    aside = f" >>{folder}/background.log 2>&1 &"
    lines = (
        f"{re.sub(r' &$', aside, each, flags=re.MULTILINE)}\ncode=$?; echo; echo '{_MARK}' {number} $code\n{_go_on(each == fails)}"
        for number, each in enumerate(commands)
    )
    script.write_text("\n".join([*lines, "wait"]))
    with log.open("w") as out, session(["bash", "--norc", str(script)], environ, out) as bash:
        bash.wait(seconds)
    parts = re.split(rf"\n{_MARK} \d+ (\d+)\n", log.read_text())
    return [
        Done(command, int(code), output)
        for command, output, code in zip(commands, parts[::2], parts[1::2], strict=False)
    ]


def _go_on(fails: bool) -> str:
    return "[ $code != 0 ] || exit" if fails else "[ $code = 0 ] || exit"


@contextmanager
def session(command: list[str], environ: Mapping[str, str], out: IO[Any] | int) -> Iterator[subprocess.Popen[bytes]]:
    """A process with a group of its own, which ends with the block."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        if process.stdout:
            process.stdout.close()


def clean_environ(**more: str) -> dict[str, str]:
    """This environment without what names an agent or an engine, with this interpreter's commands first."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("SKEP_", "SWARM_", "DOCKER_"))}
    return plain | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | more
