"""The commands that simulated containers know."""

from __future__ import annotations

import asyncio

import pytest

from skep.testing.embedded import commands
from skep.testing.embedded.programs import Process


async def ran(argv: list[str], *, stdin: bytes | None = None, tty: bool = False) -> tuple[int, bytes, bytes]:
    """Exit code, output, errors of a command."""
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    written = {1: b"", 2: b""}

    def write(stream: int, data: bytes) -> None:
        written[stream] += data

    env = {"HOSTNAME": "box", "NAME": "a b"}
    process = Process(env, write, done.set_result, stdin=stdin is not None, strict=True, tty=tty)
    process.start(commands.program(process, argv))
    if stdin is not None:
        process.feed(stdin)
        process.eof()
    async with asyncio.timeout(5):
        return await done, written[1], written[2]


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["true"], (0, b"", b"")),
        (["/bin/false"], (1, b"", b"")),
        (["echo", "a", "b"], (0, b"a b\n", b"")),
        (["echo", "-n", "a"], (0, b"a", b"")),
        (["sleep", "0.01"], (0, b"", b"")),
        (["sleep", "x"], (1, b"", b"sleep: invalid number\n")),
        (["cat", "nosuch"], (1, b"", b"cat: can't open 'nosuch': No such file or directory\n")),
        (["env"], (0, b"HOSTNAME=box\nNAME=a b\n", b"")),
        (["printenv", "NAME"], (0, b"a b\n", b"")),
        (["printenv", "NOSUCH"], (1, b"", b"")),
        (["hostname"], (0, b"box\n", b"")),
        (["sh", "-c", "exit 7"], (7, b"", b"")),
        (["sh", "-c", "echo a; echo b"], (0, b"a\nb\n", b"")),
        (["sh", "-c", "false && echo a; true || echo b; echo $?"], (0, b"0\n", b"")),
        (["sh", "-c", "false || echo b"], (0, b"b\n", b"")),
        (["sh", "-c", "echo 'a; b' \"c && d\""], (0, b"a; b c && d\n", b"")),
        (["sh", "-c", "echo $NAME ${HOSTNAME} '$NAME'"], (0, b"a b box $NAME\n", b"")),
        (["sh", "-c", "echo bad >&2; exit 3"], (3, b"", b"bad\n")),
        (["sh", "-c", "nosuch"], (127, b"", b"sh: nosuch: not found\n")),
        (["sh", "-c", "sleep 0.01; echo later"], (0, b"later\n", b"")),
        (["sh", "-c", ""], (0, b"", b"")),
    ],
)
async def test_commands(argv: list[str], expected: tuple[int, bytes, bytes]) -> None:
    assert await ran(argv) == expected


async def test_input() -> None:
    assert await ran(["cat"], stdin=b"a\nb") == (0, b"a\nb", b"")
    assert await ran(["sh"], stdin=b"echo a\nexit 4\necho no\n") == (4, b"a\n", b"")


async def test_a_terminal_echoes_and_prompts() -> None:
    code, out, _ = await ran(["sh"], stdin=b"echo a\r", tty=True)

    assert (code, out) == (0, b"/ # echo a\r\na\r\n/ # ")


async def test_a_paused_process_stands_still() -> None:
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    process = Process({}, lambda stream, data: None, done.set_result)
    process.start(commands.program(process, ["sleep", "0.01"]))
    await asyncio.sleep(0)
    process.pause()
    await asyncio.sleep(0.03)
    assert not done.done()

    process.unpause()

    async with asyncio.timeout(5):
        assert await done == 0


async def test_a_stopped_process_says_nothing_more() -> None:
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    process = Process({}, lambda stream, data: None, done.set_result)
    process.start(commands.program(process, ["true"]))

    process.stop()
    await asyncio.sleep(0.01)

    assert not done.done()
