"""What is yet to be done, kept in a file: an agent that is killed does it when it is started again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from skep import read_small_file, replace_file

__all__ = ["Journal", "Pending"]

_LARGEST = 16 * 2**20  # bytes


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """The actions of one file that are not all done. No value is here.

    digest: of the content that they are for; "" where there is nothing to do for it. expected: of a content that is being written. names:
    the variables that came, went or changed since all was done. done: what need not be done again.
    """

    digest: str = ""
    expected: str = ""
    names: tuple[str, ...] = ()
    done: tuple[str, ...] = ()


class Journal:
    """The pending actions of all files. Its own file is written before the env file is, and whenever something is done."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pending: dict[str, Pending] = {}
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read it. Raises OSError, ValueError where that is not possible; there need be none."""
        try:
            data = await asyncio.to_thread(read_small_file, self._path, _LARGEST)
        except FileNotFoundError:
            return
        try:
            self._pending = msgspec.json.decode(data, type=dict[str, Pending])
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ValueError(f"{self._path}: {error}") from None

    def get(self, file: str) -> Pending | None:
        """What is to be done for a file."""
        return self._pending.get(file)

    @property
    def files(self) -> Mapping[str, Pending]:
        """What is to be done, by file."""
        return self._pending

    async def put(self, file: str, pending: Pending | None) -> None:
        """Keep it, durably; None: all is done. Raises OSError."""
        if pending is None:
            if self._pending.pop(file, None) is None:
                return
        else:
            self._pending[file] = pending
        async with self._writing:
            data = msgspec.json.encode(self._pending)
            await asyncio.to_thread(self._path.parent.mkdir, mode=0o700, parents=True, exist_ok=True)
            await replace_file(self._path, data, mode=0o600)
