"""The operator's folder of certificates, read again whenever a file changes. What breaks is named, and the last good one stays.

NAME.crt, NAME.key      a certificate with its chain, and its key; NAME is a host, the domain above it, or `default`
NAME.chain.pem          for OCSP stapling
NAME.dhparam.pem        a group for DHE of its own
HOST.ca.crt, ca.crt     whom HOST, or any host, lets in by client certificates
HOST.crl.pem, ca.crl.pem    which of those are revoked
dhparam.pem             a group for DHE
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from skep import read_small_file
from skep_nginx.certificates.groups import read_group
from skep_nginx.certificates.pem import Pair, Unusable, read_authorities, read_crl, read_pair

__all__ = ["Store", "Stored"]

_LARGEST = 2**20
_NAME = re.compile(r"[A-Za-z0-9_*][A-Za-z0-9_.*-]{0,254}")
Mark: TypeAlias = tuple[object, ...]
"""By which a file is known not to have changed."""


@dataclass(frozen=True, slots=True)
class Stored:
    """All that is usable, by NAME or HOST ("" is every host), and what is not, by file with the reason."""

    pairs: Mapping[str, Pair] = field(default_factory=dict)
    chains: Mapping[str, bytes] = field(default_factory=dict)
    groups: Mapping[str, bytes] = field(default_factory=dict)
    authorities: Mapping[str, bytes | None] = field(default_factory=dict)
    """None is an authority's file that cannot be read: nobody may come in then."""
    revoked: Mapping[str, bytes | None] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


class Store:
    """Blocking: call it in a thread. `kept` is a folder where the last good certificates outlive a restart."""

    def __init__(self, folder: Path, kept: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._kept = kept
        self._clock = clock
        self._read: dict[str, tuple[Mark, object]] = {}
        self._good: dict[str, object] = {}

    def look(self) -> Stored:
        """How things are now. Raises OSError where the folder itself cannot be read; that it is not there is no mistake."""
        try:
            names = sorted(path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name))
        except FileNotFoundError:
            names = []
        problems: dict[str, str] = {}
        there = set(names)
        pairs: dict[str, Pair] = {}
        for name in _stems(names, ".crt"):
            if name == "ca" or name.endswith(".ca") or f"{name}.key" not in there:
                continue
            pair = self._get((f"{name}.crt", f"{name}.key"), self._pair, problems)
            if isinstance(pair, Pair) and pair.not_after > self._clock():
                pairs[name.lower()] = pair
            elif isinstance(pair, Pair):
                problems.setdefault(f"{name}.crt", "it has expired: put a newer one in its place")
        found = Stored(
            pairs,
            self._all(names, ".chain.pem", read_authorities, problems),
            self._all(names, ".dhparam.pem", read_group, problems)
            | self._one(there, "dhparam.pem", read_group, problems),
            self._guards(names, ".ca.crt", "ca.crt", read_authorities, problems),
            self._guards(names, ".crl.pem", "ca.crl.pem", read_crl, problems),
            problems,
        )
        self._read = {key: value for key, value in self._read.items() if key.partition("|")[0] in there}
        self._good = {key: value for key, value in self._good.items() if key.partition("|")[0] in there}
        return found

    def _all(
        self, names: list[str], end: str, parse: Callable[[bytes], bytes], problems: dict[str, str]
    ) -> dict[str, bytes]:
        found = {}
        for name in _stems(names, end):
            data = self._get((name + end,), parse, problems)
            if isinstance(data, bytes):
                found[name.lower()] = data
        return found

    def _one(
        self, there: set[str], name: str, parse: Callable[[bytes], bytes], problems: dict[str, str]
    ) -> dict[str, bytes]:
        data = self._get((name,), parse, problems) if name in there else None
        return {"": data} if isinstance(data, bytes) else {}

    def _guards(
        self, names: list[str], end: str, everybody: str, parse: Callable[[bytes], bytes], problems: dict[str, str]
    ) -> dict[str, bytes | None]:
        """Files that keep somebody out: one that cannot be read keeps everybody out."""
        found: dict[str, bytes | None] = {}
        for name in names:
            if name != everybody and (not name.endswith(end) or name == end):
                continue
            data = self._get((name,), parse, problems)
            found["" if name == everybody else name.removesuffix(end).lower()] = (
                data if isinstance(data, bytes) else None
            )
        return found

    def _get(self, files: tuple[str, ...], parse: Callable[..., object], problems: dict[str, str]) -> object:
        """What files say, read again only when one of them changed; the last good thing where they say nothing; None without one."""
        key = "|".join(files)
        try:
            mark: Mark = tuple(_mark(self._folder / name) for name in files)
            known = self._read.get(key)
            if known is None or known[0] != mark:
                try:
                    value: object = parse(*(read_small_file(self._folder / name, _LARGEST) for name in files))
                    if isinstance(value, Pair):
                        self._keep(files[0], value)
                except Unusable as reason:
                    value = str(reason)
                self._read[key] = known = mark, value
            if not isinstance(known[1], str):
                self._good[key] = known[1]
                return known[1]
            problems[files[0]] = known[1]
        except OSError as error:
            self._read.pop(key, None)
            problems[files[0]] = f"it cannot be read: {error.strerror}"
        good = self._good.get(key) or self._last(files)
        if good is not None:
            self._good[key] = good
            problems[files[0]] += "; the last good one stays"
        return good

    # -- the last good certificates

    def _pair(self, certificate: bytes, key: bytes) -> Pair:
        return read_pair(certificate, key, self._clock())

    def _keep(self, name: str, pair: Pair) -> None:
        """For the next start. Best effort: a full disk must not keep a certificate from being used."""
        path = self._kept / f"{name}.pem"
        beside = path.with_suffix(".new")
        with contextlib.suppress(OSError):
            self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
            beside.unlink(missing_ok=True)
            with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
                file.write(pair.pem)
            beside.replace(path)

    def _last(self, files: tuple[str, ...]) -> object:
        if len(files) < 2:
            return None
        try:
            data = read_small_file(self._kept / f"{files[0]}.pem", _LARGEST)
            return read_pair(data, data, self._clock())
        except (OSError, Unusable):
            return None


def _stems(names: list[str], end: str) -> list[str]:
    return [name.removesuffix(end) for name in names if name.endswith(end) and name != end]


def _mark(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
