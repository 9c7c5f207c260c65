"""Running a program of the agent's host: without shell, with a deadline, and with what it says kept within bounds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skep import SkepError, TemporaryError

if TYPE_CHECKING:
    from skep_envfile.actions.settings import ActionSettings
    from skep_envfile.values import Gathered

__all__ = ["run_command"]

_MOST_OUTPUT = 64 * 2**10  # bytes that are kept, the last ones
_SHOWN = 2000  # characters
_GRACE = 2.0  # seconds between SIGTERM and SIGKILL
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


async def run_command(
    log: logging.Logger, file: str, path: Path, action: ActionSettings, values: Gathered | None
) -> None:
    """Run it to its end, and log what it said, without the file's secret values.

    Its environment is PATH, LANG, and the file's name and place. Raises TemporaryError where it cannot run or takes too long, SkepError with
    its status and what it said where it fails. Whatever it has started in its group of processes ends with it where it is cut off.
    """
    environment = {"PATH": _PATH, "LANG": "C.UTF-8", "SKEP_ENVFILE": file, "SKEP_ENVFILE_PATH": str(path)}
    try:
        process = await asyncio.create_subprocess_exec(
            *action.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise TemporaryError(f"cannot run: {error.strerror}") from None
    output = bytearray()
    try:
        async with asyncio.timeout(action.timeout):
            await _read(process, output)
            status = await process.wait()
    except TimeoutError:
        raise TemporaryError(f"not done within {action.timeout:g} s{_said(output, values)}") from None
    finally:
        await _end(process)
    if status:
        how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
        raise SkepError(f"{how}{_said(output, values)}")
    if said := _said(output, values):
        log.info("file %s: %s%s", file, action.title, said)


async def _read(process: asyncio.subprocess.Process, output: bytearray) -> None:
    assert process.stdout is not None
    while data := await process.stdout.read(_MOST_OUTPUT):
        output += data
        del output[:-_MOST_OUTPUT]


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the whole group: a program that is done may have left others behind, which are left alone."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        async with asyncio.timeout(_GRACE):
            await process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _said(output: bytearray, values: Gathered | None) -> str:
    """What it said, for a log; nothing where it is not known what is secret."""
    if values is None:
        return ""
    secrets = sorted(_secrets(values), key=len, reverse=True)
    # What was cut off may have taken a part of a secret with it, and left the rest.
    start = len(secrets[0]) + 4 if secrets and len(output) >= _MOST_OUTPUT else 0
    text = _blotted(output.decode(errors="replace"), secrets, start)
    text = "".join(each if each.isprintable() or each == "\n" else "?" for each in text).strip()
    if len(text) > _SHOWN:
        text = f"…{text[-_SHOWN:]}"
    return f": {text}" if text else ""


def _blotted(text: str, secrets: Sequence[str], start: int) -> str:
    """The text from `start` on, without secrets."""
    shown = []
    for match in re.finditer("|".join(map(re.escape, secrets)), text) if secrets else ():
        if match.end() > start:
            shown += [text[start : match.start()], "********"]
            start = match.end()
    return "".join(shown) + text[start:]


def _secrets(values: Gathered) -> Iterable[str]:
    """The secret values, and each line of one that has several."""
    for name in values.secret:
        yield from (line for line in values.values.get(name, "").splitlines() if line.strip())
