"""How the embedded engine runs a program: as a script of what a process writes, reads and returns.

A program is a generator. It yields a number to sleep that many seconds, `INPUT` to be sent the next bytes
of its standard input (``b""`` at its end), or `FOREVER`; it returns its exit code. Nothing runs: no task,
no process.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Generator, Mapping

from .output import STDERR, STDOUT


class Wait(enum.Enum):
    """What a program can wait for, other than time."""

    INPUT = "input"
    FOREVER = "forever"


INPUT = Wait.INPUT
FOREVER = Wait.FOREVER

Program = Generator[float | Wait, bytes | None, int]


class Process:
    """One program under way: it is fed time and input; what it writes, and how it ends, is handed on.

    `write(stream, data)` gets the output; `ended(exit_code)` is called once, never from within `start`.
    Without `stdin`, standard input is at its end from the beginning. A `strict` process knows only the
    commands that the engine knows; for others any other command is a server, and runs until it is stopped.
    """

    __slots__ = (
        "_begun",
        "_eof",
        "_input",
        "_paused",
        "_program",
        "_timer",
        "_waiting",
        "_write",
        "ended",
        "env",
        "strict",
        "tty",
    )

    def __init__(
        self,
        env: Mapping[str, str],
        write: Callable[[int, bytes], None],
        ended: Callable[[int], None],
        *,
        tty: bool = False,
        stdin: bool = False,
        strict: bool = False,
    ) -> None:
        self.env = env
        self.tty = tty
        self.strict = strict
        self.ended: Callable[[int], None] | None = ended
        self._write = write
        self._input = b""
        self._eof = not stdin
        self._paused = self._begun = False
        self._waiting: float | Wait = FOREVER
        self._timer: asyncio.Handle | None = None
        self._program: Program | None = None

    def start(self, program: Program | None) -> None:
        """Begin: the first step is taken in the loop's next round. None runs until it is stopped."""
        self._program = program
        if program is not None:
            self._later(None)

    def out(self, text: str) -> None:
        """Write text to standard output."""
        self.put(STDOUT, text.encode())

    def err(self, text: str) -> None:
        """Write text to standard error."""
        self.put(STDERR, text.encode())

    def put(self, stream: int, data: bytes) -> None:
        """Write bytes; a terminal has one stream, and carriage returns."""
        if self.tty:
            stream, data = STDOUT, data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if data:
            self._write(stream, data)

    def feed(self, data: bytes) -> None:
        """Standard input arrived."""
        if not self._eof:
            self._input += data
            self._offer()

    def eof(self) -> None:
        """Standard input ended."""
        self._eof = True
        self._offer()

    def pause(self) -> None:
        """Stand still until `unpause`."""
        self._paused = True

    def unpause(self) -> None:
        """Go on where it stood; a sleep that ended meanwhile ends now."""
        self._paused = False
        self._offer()
        if self._timer is None and not isinstance(self._waiting, Wait):
            self._later(None)

    def stop(self) -> None:
        """Gone, without a word: `ended` is not called any more."""
        self.ended = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._program is not None:
            self._program.close()

    def _later(self, data: bytes | None) -> None:
        self._waiting = 0.0
        self._timer = asyncio.get_running_loop().call_soon(self._step, data)

    def _offer(self) -> None:
        if self._waiting is INPUT and not self._paused and self.ended and (self._input or self._eof):
            data, self._input = self._input, b""
            self._later(data)

    def _step(self, data: bytes | None) -> None:
        self._timer = None
        if self._paused or not self.ended or self._program is None:
            return
        try:
            self._waiting = self._program.send((data or b"") if self._begun else None)
        except StopIteration as stop:
            ended, self.ended = self.ended, None
            ended(stop.value)
            return
        self._begun = True
        if isinstance(self._waiting, Wait):
            self._offer()
        else:
            self._timer = asyncio.get_running_loop().call_later(self._waiting, self._step, None)
