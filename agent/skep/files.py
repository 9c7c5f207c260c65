"""Files that others read, or that the next start reads: replaced whole, or not at all; and read without ever waiting for somebody."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import tempfile
from pathlib import Path

__all__ = ["read_small_file", "replace_file"]


def read_small_file(path: Path, limit: int, *, follow: bool = True) -> bytes:
    """All of a file of `limit` bytes at most. Blocking, but for as long as the disk takes only: a FIFO, device, socket or folder in its place
    is refused. `follow`: whether `path` may be a symbolic link; say False where somebody else may write in its folder.

    Raises OSError, with a `strerror` that says what was wrong; FileNotFoundError where there is none.
    """
    # Without O_NONBLOCK, opening a FIFO would wait for whoever writes to it.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = _open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes", str(path))
    return data


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise OSError(errno.EINVAL, "it is no regular file", str(path)) from None
        if error.errno == errno.ELOOP and flags & os.O_NOFOLLOW:
            raise OSError(errno.ELOOP, "it is a symbolic link", str(path)) from None
        raise


async def replace_file(path: Path, data: bytes, *, mode: int, owner: tuple[int, int] = (-1, -1)) -> None:
    """Write a file anew: beside the old one, synced to the disk, then renamed over it. The old one stays where anything fails.

    mode: its permissions, whatever the old one's were. owner: user and group, by number; -1 is this process' own. Works in a thread. Cancelled, it
    ends first what it has begun, so that nothing is written behind a later writer's back. Raises OSError.
    """
    writing = asyncio.ensure_future(asyncio.to_thread(_replace, path, data, mode, owner))
    try:
        await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        writing.exception()  # nobody is told any more
        raise


def _replace(path: Path, data: bytes, mode: int, owner: tuple[int, int]) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.skep-")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner != (-1, -1):
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    # The rename too is on the disk only when its folder is.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
