"""What the three places where nginx may run have in common."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from skep import SkepError, TemporaryError, read_small_file, replace_file
from skep_nginx.hosts import STATUS_HOST
from skep_nginx.reach import View
from skep_nginx.render import Rendered

__all__ = [
    "OtherAnswer",
    "Place",
    "Refused",
    "ask_generation",
    "check_folder",
    "make_folder",
    "read_file",
    "run_command",
    "sync_file",
    "until_answering",
    "write_candidate",
    "write_file",
]

_COMMAND_TIMEOUT = 30.0
_POLL = 0.02  # seconds
_LARGEST = 64 * 2**20  # bytes of a file of our own: ten thousand sites are a tenth of that
_PROCESS = re.compile(r"^\d+#\d+: ")  # whose ids say nothing to anybody


class Refused(SkepError):
    """nginx read a configuration, and said no to it."""


class OtherAnswer(TemporaryError):
    """Whoever is asked for nginx's generation answers, with something else."""


class Place(Protocol):
    """Where nginx runs. All methods raise TemporaryError where something is away for now; `test` and `reload` also Refused."""

    async def run(self) -> None:
        """Keep nginx running, where that is ours to do; for as long as nobody cancels it."""

    async def locate(self) -> View:
        """Find nginx, and say from where it reaches containers."""
        ...

    async def describe(self) -> str:
        """What `nginx -V` prints."""
        ...

    async def lay(self, files: Mapping[str, bytes]) -> str:
        """Have files that only nginx may read, by name; return the folder that it finds them in. Files stay for a day at least."""
        ...

    @property
    def is_here(self) -> bool:
        """Whether it listens on this host's addresses, so that they can be tried."""
        ...

    @property
    def identity(self) -> str:
        """Changes when nginx, as located, is another one, that knows nothing of what was installed."""
        ...

    async def installed(self) -> bytes | None:
        """The configuration that is in its place; None if there is none, or it is not known."""
        ...

    async def test(self, rendered: Rendered) -> None:
        """Let nginx itself try a configuration, without touching the live one."""

    async def install(self, rendered: Rendered) -> None:
        """Put it in its place, so that it is there whole or not at all."""

    async def reload(self) -> None:
        """Tell nginx to take it."""

    async def generation(self) -> str:
        """The generation that nginx answers with."""
        ...

    def complaint(self) -> str:
        """What nginx said, since the last reload, about why it does not take the configuration; "" for nothing."""
        ...


async def ask_generation(unix: Path | None = None, host: str = "", port: int = 0, *, proxied: bool = False) -> str:
    """Ask nginx over a new connection; `proxied`: by the PROXY protocol, as it expects there. Raises TemporaryError."""
    before = "PROXY UNKNOWN\r\n" if proxied else ""
    where = str(unix) if unix else f"{host}:{port}"
    try:
        async with asyncio.timeout(2):
            opening = asyncio.open_unix_connection(str(unix)) if unix else asyncio.open_connection(host, port)
            reader, writer = await opening
            try:
                writer.write(f"{before}GET /generation HTTP/1.0\r\nHost: {STATUS_HOST}\r\n\r\n".encode())
                answer = await reader.read(4096)
                answer += await reader.read(4096)
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise TemporaryError(f"nginx does not answer at {where}: {error or 'too slow'}") from None
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        raise TemporaryError(f"nginx at {where} closes the connection without an answer")
    if b" 200 " not in head[:16]:
        raise OtherAnswer(f"nginx at {where} answers with something else: {head[:60].decode('latin-1')!a}")
    return body.decode("latin-1").strip()[:64]


async def until_answering(ask: Callable[[], Awaitable[str]], seconds: float) -> bool:
    """Whether `ask` gets an answer, whatever it is, within so many seconds. An nginx that answers heeds signals; before, they may end it."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while True:
        try:
            await ask()
        except OtherAnswer:
            return True
        except TemporaryError:
            if clock() >= deadline:
                return False
            await asyncio.sleep(_POLL)
        else:
            return True


async def run_command(argv: Sequence[str], stdout: int | None = None) -> bytes:
    """Run a program to its end; what it printed, on both streams unless its output goes to the descriptor `stdout`.

    Raises Refused with what it said when it fails, TemporaryError when it cannot run or hangs.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if stdout is None else stdout,
            stderr=asyncio.subprocess.STDOUT if stdout is None else asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise TemporaryError(f"cannot run {argv[0]}: {error.strerror}") from None
    try:
        async with asyncio.timeout(_COMMAND_TIMEOUT):
            printed, complained = await process.communicate()
    except TimeoutError:
        raise TemporaryError(f"{' '.join(argv)} did not end within {_COMMAND_TIMEOUT:.0f} s") from None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    output = printed if stdout is None else complained
    if process.returncode == -9:
        raise TemporaryError(f"{argv[0]} was killed")
    if process.returncode:
        raise Refused(said(output) or f"{argv[0]} ended with {process.returncode}")
    return output


def said(output: bytes) -> str:
    """What nginx printed, short enough for a log: its errors, without time stamps and safe to print."""
    lines = output.decode("utf-8", "replace").splitlines()
    errors = [_PROCESS.sub("", line.partition("[emerg]")[2].strip()) for line in lines if "[emerg]" in line]
    return ascii("; ".join(errors or [line.strip() for line in lines[-3:]]))[1:-1][:500]


async def write_file(path: Path, text: bytes) -> None:
    """Replace a file whole; nginx, who may be somebody else, can read it. Raises TemporaryError."""
    try:
        await replace_file(path, text, mode=0o644)
    except OSError as error:
        raise TemporaryError(f"cannot write {path}: {error.strerror}") from None


async def make_folder(path: Path) -> None:
    """Make a folder that others may enter, but nobody else may write to, if it is not there. Raises TemporaryError."""

    def make() -> None:
        path.mkdir(0o755, parents=True, exist_ok=True)
        check_folder(path)

    try:
        await asyncio.to_thread(make)
    except OSError as error:
        raise TemporaryError(f"cannot make {path}: {error.strerror}") from None


def check_folder(path: Path) -> None:
    """Whoever may write to nginx's configuration may have it do anything. Blocks. Raises TemporaryError for a folder that anybody may change."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and (folder == path or not mode & stat.S_ISVTX):
            raise TemporaryError(f"anybody may write to {folder}, and so tell nginx what they like: chmod o-w {folder}")


async def write_candidate(path: Path, text: bytes) -> None:
    """Write a file that only a test reads: it need not outlive a crash, so nobody waits for the disk. Raises TemporaryError."""

    def write() -> None:
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            file.write(text)
        path.chmod(0o644)

    try:
        await asyncio.to_thread(write)
    except OSError as error:
        raise TemporaryError(f"cannot write {path}: {error.strerror}") from None


def sync_file(path: Path) -> None:
    """Return when a file, and its name, are on the disk. Blocks. Raises OSError."""
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


async def read_file(path: Path) -> bytes | None:
    """A file's bytes; None if it is not there. Raises TemporaryError."""
    try:
        return await asyncio.to_thread(read_small_file, path, _LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TemporaryError(f"cannot read {path}: {error.strerror}") from None
