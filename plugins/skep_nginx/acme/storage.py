"""What outlives a restart: the account, and for each certificate its key, its chain and how the tries went. One file each."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from skep import TemporaryError, read_small_file, replace_file

__all__ = ["Account", "Record", "Storage"]

_LARGEST = 2**20  # bytes
_FILE = re.compile(r"[a-z0-9.-]+\.json")
T = TypeVar("T")


class Account(msgspec.Struct, kw_only=True, frozen=True):
    """Our account at one authority. `key` is a private key in PEM; `uri` is "" before the authority knows it."""

    key: str
    uri: str = ""

    def __repr__(self) -> str:
        return f"Account({self.uri!r})"


class Record(msgspec.Struct, kw_only=True, frozen=True):
    """One certificate, or the tries to get it. Times are seconds since the epoch; `kind` and `reason` are those of the last failure."""

    names: tuple[str, ...]
    chain: str = ""
    key: str = ""
    tried_at: float = 0.0
    retry_at: float = 0.0
    failures: int = 0
    kind: str = ""
    reason: str = ""

    def __repr__(self) -> str:
        return f"Record({', '.join(self.names)})"


class Storage:
    """A folder for one authority, which only its owner may enter."""

    def __init__(self, folder: Path, url: str, log: logging.Logger) -> None:
        self._folder = folder / hashlib.sha256(url.encode()).hexdigest()[:12]
        self._log = log

    def prepare(self) -> None:
        """Make the folder. Raises TemporaryError."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self._folder.parent, self._folder):
                folder.chmod(0o700)
        except OSError as error:
            raise TemporaryError(f"cannot make {error.filename}: {error.strerror}") from None

    def account(self) -> Account | None:
        """The account; None before there is one. Raises TemporaryError where it cannot be read."""
        return self._read(self._folder / "account.json", Account)

    def records(self) -> dict[tuple[str, ...], Record]:
        """All certificates, by their names. Raises TemporaryError."""
        found: dict[tuple[str, ...], Record] = {}
        for path in self._files():
            record = self._read(path, Record)
            if record is not None and path == self._path(record.names):
                found[record.names] = record
        return found

    async def keep_account(self, account: Account) -> None:
        """Raises TemporaryError."""
        await self._write(self._folder / "account.json", account)

    async def keep(self, record: Record) -> None:
        """Raises TemporaryError."""
        await self._write(self._path(record.names), record)

    def forget(self, names: tuple[str, ...]) -> None:
        """Remove a certificate that nobody wants any more."""
        with contextlib.suppress(OSError):
            self._path(names).unlink(missing_ok=True)

    def _path(self, names: tuple[str, ...]) -> Path:
        digest = hashlib.sha256(",".join(names).encode()).hexdigest()[:12]
        return self._folder / f"{names[0][:180]}.{digest}.json"

    def _files(self) -> Iterator[Path]:
        try:
            found = sorted(self._folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            raise TemporaryError(f"cannot read {error.filename}: {error.strerror}") from None
        yield from (path for path in found if _FILE.fullmatch(path.name) and path.name != "account.json")

    def _read(self, path: Path, kind: type[T]) -> T | None:
        """A file that is broken is put aside, so that its remains can be looked at, and is as if it were not there."""
        try:
            return msgspec.json.decode(read_small_file(path, _LARGEST), type=kind)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TemporaryError(f"cannot read {path}: {error.strerror}") from None
        except (msgspec.MsgspecError, ValueError, RecursionError):
            aside = path.with_suffix(".broken")
            self._log.error("%s is damaged and is put aside as %s", path, aside.name)
            with contextlib.suppress(OSError):
                path.replace(aside)
            return None

    async def _write(self, path: Path, value: Account | Record) -> None:
        try:
            await replace_file(path, msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n", mode=0o600)
        except OSError as error:
            raise TemporaryError(f"cannot write {path}: {error.strerror}") from None
