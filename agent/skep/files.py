"""Files that others read, or that the next start reads: replaced whole, or not at all."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

__all__ = ["replace_file"]


async def replace_file(path: Path, data: bytes, *, mode: int) -> None:
    """Write a file anew: beside the old one, synced to the disk, then renamed over it. The old one stays where anything fails.

    mode: its permissions, whatever the old one's were. Works in a thread. Raises OSError.
    """
    await asyncio.to_thread(_replace, path, data, mode)


def _replace(path: Path, data: bytes, mode: int) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
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
